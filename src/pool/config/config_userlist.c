/*
 * auth_file: lines of "user" "secret", "" for a quote, the rest of the line ignored, ; before a comment; as
 * PgBouncer's loader.c, which takes no other comment. There, a line that is not understood ends the reading
 * and leaves out all users after it; here it is an error.
 */
#include "pool/config/config_parts.h"
#include "pool/config/hba.h"

#include <ctype.h>
#include <stdlib.h>

struct entry {
	const char *user, *secret;
	int line;
};

struct reader {
	struct pgm_pool_config *config;
	struct pgm_config_problems *problems;
	const char *path;
	const char *start; /* of the line */
	const char *end;
	int line;
	PGM_VEC(struct entry) entries;
};

static struct pgm_config_place place_at(const struct reader *reader, const char *at)
{
	return (struct pgm_config_place){reader->path, reader->line, (int)(at - reader->start) + 1};
}

/* A quoted word; *at moves behind it. NULL with a problem, which never shows what may be a secret. */
static const char *read_quoted(struct reader *reader, const char **at, const char *what, size_t max)
{
	const char *open = *at, *from = open + 1;
	if (open >= reader->end || *open != '"') {
		pgm_config_error(reader->problems, place_at(reader, open), "A line is \"user\" \"secret\".",
				 "the %s in double quotes is expected here", what);
		return NULL;
	}
	const char *to = from;
	while (to < reader->end && (*to != '"' || (to + 1 < reader->end && to[1] == '"')))
		to += *to == '"' ? 2 : 1;
	if (to >= reader->end) {
		pgm_config_error(reader->problems, place_at(reader, open), "A quote within is written twice.",
				 "the quoted %s does not end", what);
		return NULL;
	}
	*at = to + 1;
	if ((size_t)(to - from) > max) {
		pgm_config_error(reader->problems, place_at(reader, open), NULL,
				 "the %s is longer than %zu bytes", what, max);
		return NULL;
	}
	char *word = pgm_arena_alloc(reader->config->arena, (size_t)(to - from) + 1), *out = word;
	for (; from < to; from++) {
		*out++ = *from;
		from += *from == '"';
	}
	return word;
}

static bool is_base64(const char *text, size_t length)
{
	size_t digits = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
	size_t padding = strspn(text + digits, "=");
	return length > 0 && digits + padding == length && padding <= 2 && length % 4 == 0;
}

static bool is_verifier(const char *secret)
{
	const char *at = secret + 14; /* after SCRAM-SHA-256$ */
	size_t digits = strspn(at, "0123456789");
	if (digits == 0 || digits > 9 || at[digits] != ':')
		return false;
	at += digits + 1;
	const char *dollar = strchr(at, '$');
	const char *colon = dollar ? strchr(dollar, ':') : NULL;
	return colon && is_base64(at, (size_t)(dollar - at)) &&
	       is_base64(dollar + 1, (size_t)(colon - dollar - 1)) &&
	       is_base64(colon + 1, strlen(colon + 1)) && colon - dollar == 45 && strlen(colon + 1) == 44;
}

/* A hash with a slip in it would be taken for a plain password, and nobody could log in with it. */
static void judge_secret(struct reader *reader, const char *secret, const char *at)
{
	const char *what = NULL;
	if (strncmp(secret, "SCRAM-SHA-256$", 14) == 0 && !is_verifier(secret))
		what = "SCRAM secret";
	else if (strncmp(secret, "md5", 3) == 0 && strlen(secret) == 35 &&
		 strspn(secret + 3, "0123456789abcdef") != 32)
		what = "MD5 hash";
	if (what)
		pgm_config_warning(reader->problems, place_at(reader, at), NULL,
				   "this looks like a broken %s and is taken for a plain password", what);
}

static bool read_line(struct reader *reader)
{
	const char *at = reader->start;
	while (at < reader->end && isspace((unsigned char)*at))
		at++;
	if (at == reader->end || *at == ';')
		return false;
	if (*at == '#') {
		pgm_config_error(reader->problems, place_at(reader, at), NULL,
				 "a comment begins with ; in this file");
		return false;
	}
	const char *user_at = at;
	const char *user = read_quoted(reader, &at, "user", PGM_CONFIG_USER_MAX);
	if (!user)
		return false;
	while (at < reader->end && isspace((unsigned char)*at))
		at++;
	const char *secret_at = at;
	const char *secret = read_quoted(reader, &at, "secret", PGM_CONFIG_SECRET_MAX);
	if (!secret)
		return *secret_at == '"';
	if (!*user) {
		pgm_config_error(reader->problems, place_at(reader, user_at), NULL,
				 "the user's name is empty");
		return true;
	}
	judge_secret(reader, secret, secret_at);
	*pgm_vec_add(reader->problems->arena, &reader->entries) = (struct entry){user, secret, reader->line};
	return *secret != '\0';
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	int order = strcmp(left->user, right->user);
	return order ? order : (left->line > right->line) - (left->line < right->line);
}

/* Sorted, and of a user who is there twice the last, as PgBouncer has it. */
static void keep_last(struct reader *reader)
{
	struct pgm_pool_config *config = reader->config;
	struct entry *entries = reader->entries.items;
	size_t count = reader->entries.count;
	if (count)
		qsort(entries, count, sizeof(*entries), compare_entries);
	config->secrets = PGM_NEW_ARRAY(config->arena, struct pgm_config_secret, count + 1);
	config->secret_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (i + 1 < count && strcmp(entries[i].user, entries[i + 1].user) == 0) {
			pgm_config_warning(reader->problems,
					   (struct pgm_config_place){reader->path, entries[i + 1].line, 1},
					   NULL, "user \"%s\" is also on line %d; the last line counts",
					   entries[i].user, entries[i].line);
			explicit_bzero((char *)entries[i].secret, strlen(entries[i].secret));
			continue;
		}
		config->secrets[config->secret_count++] =
			(struct pgm_config_secret){entries[i].user, entries[i].secret};
	}
}

void pgm_config_read_userlist(struct pgm_pool_config *config, const struct pgm_config_text *text,
			      struct pgm_config_problems *problems)
{
	struct reader reader = {
		.config = config, .problems = problems, .path = text->path, .start = text->bytes};
	const char *end = text->bytes + text->length;
	bool secrets = false;
	while (reader.start < end) {
		const char *stop = memchr(reader.start, '\n', (size_t)(end - reader.start));
		reader.end = stop ? stop : end;
		reader.line++;
		secrets |= read_line(&reader);
		reader.start = reader.end + 1;
	}
	keep_last(&reader);
	pgm_config_text_judge_mode(text, secrets, problems);
}

static bool read_named(struct pgm_config_text *text, const char *path, size_t bytes_max, const char *setting,
		       struct pgm_config_problems *problems)
{
	if (!pgm_config_text_read(text, path, bytes_max, NULL, 0, 0, problems)) {
		struct pgm_config_problem *last =
			problems->count ? &problems->items[problems->count - 1] : NULL;
		if (last && !last->hint)
			last->hint = pgm_sprintf(problems->arena, "It is named by %s.", setting);
		return false;
	}
	return true;
}

static void read_hba(struct pgm_pool_config *config, struct pgm_config_problems *problems)
{
	struct pgm_config_text hba, ident;
	bool have_ident =
		config->auth_ident_file && read_named(&ident, config->auth_ident_file,
						      PGM_CONFIG_FILE_BYTES_MAX, "auth_ident_file", problems);
	if (read_named(&hba, config->auth_hba_file, PGM_CONFIG_FILE_BYTES_MAX, "auth_hba_file", problems)) {
		config->hba = pgm_hba_read(config->arena, &hba, have_ident ? &ident : NULL, true, problems);
		pgm_config_text_judge_mode(&hba, false, problems);
		pgm_config_text_wipe(&hba);
	}
	if (have_ident) {
		pgm_config_text_judge_mode(&ident, false, problems);
		pgm_config_text_wipe(&ident);
	}
}

void pgm_config_read_auth_files(struct pgm_pool_config *config, struct pgm_config_problems *problems)
{
	struct pgm_config_text text;
	config->secrets = NULL;
	config->secret_count = 0;
	config->hba = NULL;
	if (config->auth_file &&
	    read_named(&text, config->auth_file, PGM_CONFIG_USERLIST_BYTES_MAX, "auth_file", problems)) {
		pgm_config_read_userlist(config, &text, problems);
		pgm_config_text_wipe(&text);
	}
	if (config->auth_type == PGM_AUTH_HBA && config->auth_hba_file)
		read_hba(config, problems);
}
