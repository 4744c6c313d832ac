/*
 * The ini text. Its rules are those of PgBouncer's parser (libusual's cfparser.c): a line is empty, a comment
 * (; or # first), [section], %include FILE or key = value, where the value goes to the end of the line. Keys
 * are letters, digits and _.-* or quoted; both 'key' (what PgBouncer's parser takes) and "key" with "" for a
 * quote (what its manual says).
 */
#include "pool/config/config_parts.h"
#include "pool/config/settings.h"

#include <ctype.h>
#include <stdlib.h>

enum section {
	SECTION_NONE,	 /* before the first */
	SECTION_UNKNOWN, /* said already; its lines are passed over */
	SECTION_PGBOUNCER,
	SECTION_DATABASES,
	SECTION_USERS,
	SECTION_PEERS,
	SECTION_SERVE, /* pgmend serve's, and those after it: its sections are passed on, or over */
	SECTION_WATCH,
	SECTION_ALERTS,
	SECTION_CHORES,
};

#define SHOWN_MAX 100 /* bytes of a wrong name in a message */

static const char *const section_names[] = {"pgbouncer", "databases", "users",	"peers",
					    "serve",	 "watch",     "alerts", "chores"};
#define SECTION_COUNT (sizeof(section_names) / sizeof(*section_names))

/* The files that are being read, innermost first. */
struct frame {
	const struct frame *outer;
	struct pgm_config_text *text;
	int depth;
};

struct line {
	const struct frame *frame;
	char *start; /* NUL-terminated, without the end of line and blanks before it */
	int number;
};

static struct pgm_config_place place_at(const struct line *line, const char *at)
{
	return (struct pgm_config_place){line->frame->text->path, line->number, (int)(at - line->start) + 1};
}

static char *skip_blanks(char *at)
{
	while (*at == ' ' || *at == '\t')
		at++;
	return at;
}

static void read_section(struct pgm_config_reader *reader, const struct line *line, char *at)
{
	char *name = at + 1;
	char *end = strchr(name, ']');
	if (!end) {
		pgm_config_error(reader->problems, place_at(line, at), NULL,
				 "the section's name does not end in ]");
		reader->section = SECTION_UNKNOWN;
		return;
	}
	char *rest = skip_blanks(end + 1);
	if (*rest && *rest != ';' && *rest != '#')
		pgm_config_error(reader->problems, place_at(line, rest), NULL,
				 "there is more on the line after the section's name");
	*end = '\0';
	reader->section = SECTION_UNKNOWN;
	for (size_t i = 0; i < SECTION_COUNT; i++)
		if (strcmp(section_names[i], name) == 0)
			reader->section = SECTION_PGBOUNCER + (int)i;
	if (reader->section == SECTION_UNKNOWN)
		pgm_config_error(
			reader->problems, place_at(line, name),
			pgm_config_did_you_mean(reader->problems, name, section_names, SECTION_COUNT),
			"there is no section [%.100s]", name);
	reader->has_pgbouncer |= reader->section == SECTION_PGBOUNCER;
	reader->has_pool |= reader->section >= SECTION_PGBOUNCER && reader->section <= SECTION_PEERS;
}

static bool is_open(const struct frame *frame, const struct pgm_config_text *text)
{
	for (; frame; frame = frame->outer)
		if (frame->text->device == text->device && frame->text->inode == text->inode &&
		    frame->text->inode)
			return true;
	return false;
}

static void read_frame(struct pgm_config_reader *reader, const struct frame *frame);

static void read_include(struct pgm_config_reader *reader, const struct line *line, char *path)
{
	struct pgm_config_place place = place_at(line, path);
	struct pgm_config_text text;
	if (!*path) {
		pgm_config_error(reader->problems, place, NULL, "%%include needs a file's name");
	} else if (!reader->may_include) {
		pgm_config_error(reader->problems, place, NULL, "%%include is not allowed here");
	} else if (line->frame->depth >= PGM_CONFIG_INCLUDE_DEPTH_MAX) {
		pgm_config_error(reader->problems, place, NULL, "%%include is nested more than %d deep",
				 PGM_CONFIG_INCLUDE_DEPTH_MAX);
	} else if (reader->files >= PGM_CONFIG_FILES_MAX) {
		pgm_config_error(reader->problems, place, NULL, "more than %d files are included",
				 PGM_CONFIG_FILES_MAX);
	} else if (pgm_config_text_read(&text, path, PGM_CONFIG_FILE_BYTES_MAX, place.file, place.line,
					place.column, reader->problems)) {
		bool outer_secrets = reader->holds_secrets;
		if (is_open(line->frame, &text)) {
			pgm_config_error(reader->problems, place, NULL, "\"%s\" includes itself", path);
		} else {
			struct frame inner = {line->frame, &text, line->frame->depth + 1};
			read_frame(reader, &inner);
		}
		reader->holds_secrets = outer_secrets;
		pgm_config_text_wipe(&text);
	}
}

/* The key as it is meant, in place; NULL with a problem. *rest is after it. */
static char *read_key(struct pgm_config_reader *reader, const struct line *line, char *at, char **rest)
{
	char *start = at;
	if (*at == '\'' || *at == '"') {
		char quote = *at++, *out = at, *key = at;
		for (; *at && (*at != quote || at[1] == quote); at++) {
			*out++ = *at;
			at += *at == quote;
		}
		if (!*at) {
			pgm_config_error(reader->problems, place_at(line, start), NULL,
					 "the quoted name does not end");
			return NULL;
		}
		*out = '\0';
		*rest = at + 1;
		if (!*key) {
			pgm_config_error(reader->problems, place_at(line, start), NULL, "the name is empty");
			return NULL;
		}
		return key;
	}
	while (isalnum((unsigned char)*at) || (*at && strchr("_.-*", *at)))
		at++;
	*rest = at;
	if (at == start) {
		pgm_config_error(
			reader->problems, place_at(line, start),
			"A line is [section], key = value, %include FILE, or a comment after ; or #. "
			"Names with other characters than letters, digits and _.-* must be quoted.",
			"a key is expected here");
		return NULL;
	}
	return start;
}

/* Whether the key is new in its section. */
static bool note_key(struct pgm_config_reader *reader, const char *key, struct pgm_config_place place)
{
	struct pgm_arena *arena = reader->problems->arena;
	char *id = pgm_sprintf(arena, "%d/%s", reader->section, key);
	struct pgm_config_place *before = pgm_map_get(&reader->seen, id);
	reader->again = before != NULL;
	if (!before) {
		before = PGM_NEW(arena, struct pgm_config_place);
		*before = place;
		pgm_map_set(&reader->seen, id, before);
		return true;
	}
	const char *said = pgm_sprintf(arena, "It is set before at %s:%d.", before->file, before->line);
	if (strcmp(before->file, place.file) == 0) {
		pgm_config_error(reader->problems, place, said, "\"%.100s\" is set twice", key);
		return false;
	}
	/* One file that overrides another is meant. */
	pgm_config_warning(reader->problems, place, said, "\"%.100s\" is set again, and this one counts",
			   key);
	return true;
}

static void read_setting(struct pgm_config_reader *reader, const char *key, const char *value,
			 struct pgm_config_place key_place, struct pgm_config_place value_place)
{
	struct pgm_error err = {0};
	const struct pgm_setting *setting = pgm_setting_find(key);
	if (!setting) {
		const char *nearest = pgm_setting_nearest(key);
		pgm_config_error(
			reader->problems, key_place,
			nearest ? pgm_sprintf(reader->problems->arena, "Did you mean \"%s\"?", nearest)
				: NULL,
			"there is no setting \"%.100s\"", key);
		return;
	}
	if (!note_key(reader, setting->name, key_place))
		return;
	if (setting->offset == offsetof(struct pgm_pool_config, path)) {
		pgm_config_warning(reader->problems, key_place, NULL, "\"%s\" in the file itself is ignored",
				   key);
		return;
	}
	if (!pgm_setting_parse(setting, reader->config, value, &err)) {
		pgm_config_error(reader->problems, value_place, *err.hint ? err.hint : NULL, "%s: %s", key,
				 err.message);
		return;
	}
	if ((setting->flags & PGM_SETTING_INERT) &&
	    strcmp(value, setting->standard ? setting->standard : "") != 0)
		pgm_config_warning(reader->problems, key_place, NULL, "\"%s\" has no effect here: %s", key,
				   setting->help);
}

static void read_pair(struct pgm_config_reader *reader, const struct line *line, char *at)
{
	char *rest;
	struct pgm_config_place key_place = place_at(line, at);
	char *key = read_key(reader, line, at, &rest);
	if (!key)
		return;
	char *equals = skip_blanks(rest);
	if (*equals != '=') {
		bool ends = !*equals;
		pgm_config_error(reader->problems, place_at(line, equals), NULL,
				 ends ? "\"%.*s\" has no value: = is missing"
				      : "= is expected here, after \"%.*s\"",
				 key == at && rest - key < SHOWN_MAX ? (int)(rest - key) : SHOWN_MAX, key);
		return;
	}
	*rest = '\0'; /* at most where = is */
	char *value = skip_blanks(equals + 1);
	struct pgm_config_place value_place = place_at(line, value);
	switch (reader->section) {
	case SECTION_NONE:
		pgm_config_error(reader->problems, key_place, "Begin with [pgbouncer] or [databases].",
				 "\"%.100s\" stands before the first section", key);
		return;
	case SECTION_PGBOUNCER:
		read_setting(reader, key, value, key_place, value_place);
		return;
	case SECTION_DATABASES:
		if (note_key(reader, key, key_place))
			pgm_config_read_database(reader, key, value, key_place, value_place);
		return;
	case SECTION_USERS:
		if (note_key(reader, key, key_place))
			pgm_config_read_user(reader, key, value, key_place, value_place);
		return;
	case SECTION_PEERS:
		if (note_key(reader, key, key_place))
			pgm_config_read_peer(reader, key, value, key_place, value_place);
		return;
	case SECTION_SERVE:
	case SECTION_WATCH:
	case SECTION_ALERTS:
	case SECTION_CHORES:
		if (reader->others && note_key(reader, key, key_place))
			reader->others->line(reader->others->data,
					     section_names[reader->section - SECTION_PGBOUNCER], key, value,
					     key_place, value_place, &reader->holds_secrets);
		return;
	default:
		return;
	}
}

static void read_line(struct pgm_config_reader *reader, const struct line *line)
{
	char *at = line->start;
	while (isspace((unsigned char)*at))
		at++;
	if (!*at || *at == '#' || *at == ';')
		return;
	if (*at == '[')
		read_section(reader, line, at);
	else if (strncmp(at, "%include", 8) == 0 && (!at[8] || at[8] == ' ' || at[8] == '\t'))
		read_include(reader, line, skip_blanks(at + 8));
	else
		read_pair(reader, line, at);
}

static void read_frame(struct pgm_config_reader *reader, const struct frame *frame)
{
	struct pgm_config_text *text = frame->text;
	reader->files++;
	reader->holds_secrets = false;
	struct line line = {.frame = frame, .start = text->bytes};
	for (char *end = text->bytes + text->length; line.start < end;) {
		char *stop = memchr(line.start, '\n', (size_t)(end - line.start));
		char *next = stop ? stop + 1 : end;
		if (!stop)
			stop = end;
		while (stop > line.start && isspace((unsigned char)stop[-1]))
			stop--;
		*stop = '\0';
		line.number++;
		read_line(reader, &line);
		line.start = next;
	}
	pgm_config_text_judge_mode(text, reader->holds_secrets, reader->problems);
}

void pgm_config_read_ini(struct pgm_config_reader *reader, struct pgm_config_text *text)
{
	struct frame frame = {.text = text, .depth = 0};
	read_frame(reader, &frame);
	if (!reader->has_pgbouncer && (reader->has_pool || !reader->others))
		pgm_config_error(reader->problems, (struct pgm_config_place){text->path, 0, 0}, NULL,
				 "there is no section [pgbouncer]");
}

void pgm_config_reader_init(struct pgm_config_reader *reader, struct pgm_pool_config *config,
			    struct pgm_config_problems *problems)
{
	*reader = (struct pgm_config_reader){.config = config, .problems = problems, .may_include = true};
	pgm_map_init(&reader->seen, problems->arena);
}

static int compare_databases(const void *a, const void *b)
{
	return strcmp(((const struct pgm_config_database *)a)->name,
		      ((const struct pgm_config_database *)b)->name);
}

static int compare_users(const void *a, const void *b)
{
	return strcmp(((const struct pgm_config_user *)a)->name, ((const struct pgm_config_user *)b)->name);
}

void pgm_config_reader_finish(struct pgm_config_reader *reader)
{
	struct pgm_pool_config *config = reader->config;
	if (reader->databases.count)
		qsort(reader->databases.items, reader->databases.count, sizeof(*reader->databases.items),
		      compare_databases);
	if (reader->users.count)
		qsort(reader->users.items, reader->users.count, sizeof(*reader->users.items), compare_users);
	config->databases = reader->databases.items;
	config->database_count = reader->databases.count;
	config->users = reader->users.items;
	config->user_count = reader->users.count;
	config->peers = reader->peers.items;
	config->peer_count = reader->peers.count;
}

struct pgm_pool_config *pgm_pool_config_read(const char *path, struct pgm_config_problems *problems)
{
	bool has_pool;
	return pgm_pool_config_read_with(path, NULL, &has_pool, problems);
}

struct pgm_pool_config *pgm_pool_config_read_with(const char *path, const struct pgm_config_others *others,
						  bool *has_pool, struct pgm_config_problems *problems)
{
	struct pgm_config_text text;
	if (!pgm_config_text_read(&text, path, PGM_CONFIG_FILE_BYTES_MAX, NULL, 0, 0, problems))
		return NULL;
	size_t errors = problems->errors;
	struct pgm_pool_config *config = pgm_pool_config_defaults();
	config->path = pgm_strdup(config->arena, path);
	struct pgm_config_reader reader;
	pgm_config_reader_init(&reader, config, problems);
	reader.others = others;
	pgm_config_read_ini(&reader, &text);
	pgm_config_reader_finish(&reader);
	pgm_config_text_wipe(&text);
	*has_pool = reader.has_pool;
	if (reader.has_pool || !others) {
		pgm_config_read_auth_files(config, problems);
		pgm_config_check(config, problems);
	}
	if (problems->errors == errors)
		return config;
	pgm_pool_config_free(config);
	return NULL;
}
