#include "lint/tools.h"

#include "lint/script.h"
#include "sql/lex.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *const tool_names[] = {"auto",    "plain",  "dbmate", "golang-migrate", "flyway",
					 "alembic", "diesel", "goose",	"prisma",	  "sql-migrate"};

const char *pgm_lint_tool_name(enum pgm_lint_tool tool)
{
	return tool_names[tool];
}

bool pgm_lint_tool_parse(const char *name, enum pgm_lint_tool *tool)
{
	for (size_t i = 0; i < sizeof(tool_names) / sizeof(*tool_names); i++)
		if (strcmp(tool_names[i], name) == 0)
			return *tool = (enum pgm_lint_tool)i, true;
	return false;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);
	return length >= tail && strcasecmp(text + length - tail, end) == 0;
}

/* V1_2__add_orders.sql, U1__..., R__views.sql */
static bool is_flyway_name(const char *name)
{
	if (*name == 'R')
		return name[1] == '_' && name[2] == '_';
	if (*name != 'V' && *name != 'U')
		return false;
	size_t version = strspn(name + 1, "0123456789._");
	return isdigit((unsigned char)name[1]) && version > 2 && strstr(name, "__");
}

/* A line of text[..end) that begins so, after blanks, in any case; NULL where there is none. */
static const char *line_before(const char *text, const char *end, const char *start)
{
	for (const char *line = text; line && line < end; line = strchr(line, '\n')) {
		line += *line == '\n';
		const char *word = line + strspn(line, " \t");
		if (word < end && strncasecmp(word, start, strlen(start)) == 0)
			return line;
	}
	return NULL;
}

static const char *line_with(const char *text, const char *start)
{
	return line_before(text, text + strlen(text), start);
}

enum pgm_lint_tool pgm_tool_tell(const char *path, const char *text)
{
	const char *name = base_name(path);
	if (line_with(text, "-- migrate:up"))
		return PGM_LINT_DBMATE;
	if (line_with(text, "-- +goose Up"))
		return PGM_LINT_GOOSE;
	if (line_with(text, "-- +migrate Up"))
		return PGM_LINT_SQL_MIGRATE;
	if (ends_with(name, ".up.sql") || ends_with(name, ".down.sql"))
		return PGM_LINT_GOLANG_MIGRATE;
	if (strcmp(name, "up.sql") == 0 || strcmp(name, "down.sql") == 0)
		return PGM_LINT_DIESEL;
	if (strcmp(name, "migration.sql") == 0)
		return PGM_LINT_PRISMA;
	if (is_flyway_name(name))
		return PGM_LINT_FLYWAY;
	if (line_with(text, "-- Running upgrade") || line_with(text, "-- Running downgrade") ||
	    strstr(text, "alembic_version"))
		return PGM_LINT_ALEMBIC;
	return PGM_LINT_PLAIN;
}

bool pgm_tool_undoes(const char *path)
{
	return ends_with(path, ".down.sql") || strcmp(base_name(path), "down.sql") == 0;
}

/* Flyway's ${schema} stands for a name or a part of one. */
static void fill_placeholders(char *text)
{
	for (char *at = strstr(text, "${"); at; at = strstr(at, "${")) {
		size_t length = strcspn(at, "}\n");
		if (at[length] != '}') {
			at += 2;
			continue;
		}
		for (size_t i = 0; i <= length; i++)
			if (!isalnum((unsigned char)at[i]))
				at[i] = '_';
	}
}

static bool is_name_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* {{ ... }} of length bytes: nothing where it has a line of its own, else a name made of its last word. */
static void fill_template(const char *text, char *at, size_t length)
{
	const char *before = at, *after = at + length + strspn(at + length, " \t\r");
	while (before > text && (before[-1] == ' ' || before[-1] == '\t'))
		before--;
	bool alone = (before == text || before[-1] == '\n') && (*after == '\n' || *after == '\0');
	bool part = (at > text && is_name_byte(at[-1])) || is_name_byte(at[length]);
	size_t end = length;
	for (size_t i = 0; part && i < length; i++)
		if (!is_name_byte(at[i]))
			at[i] = '_';
	if (part)
		return;
	while (end && !is_name_byte(at[end - 1]))
		end--;
	size_t word = end;
	while (word && is_name_byte(at[word - 1]))
		word--;
	size_t name = alone ? 0 : end - word;
	memmove(at + 1, at + word, name);
	*at = alone ? ' ' : '_';
	memset(at + 1 + name, ' ', length - 1 - name);
}

/* Outside of strings {{ is no SQL, but a template's: pop, Jinja, Go. It may hold quotes of its own. */
static void fill_templates(char *text)
{
	struct pgm_lex lex;
	if (!strstr(text, "{{"))
		return;
	pgm_lex_init(&lex, text, strlen(text));
	for (struct pgm_token token = pgm_lex_next(&lex); token.kind != PGM_TOKEN_END;
	     token = pgm_lex_next(&lex)) {
		bool quoted = token.kind == PGM_TOKEN_IDENT && strncmp(token.text, "\"{{", 3) == 0;
		if (!quoted && (token.kind != PGM_TOKEN_OTHER || strncmp(token.text, "{{", 2) != 0))
			continue;
		char *at = text + (token.text - text);
		char *end = strstr(at, "}}");
		if (!end || memchr(at, '\n', (size_t)(end - at)) || (quoted && end[2] != '"'))
			continue;
		end += quoted ? 3 : 2;
		fill_template(text, at, (size_t)(end - at));
		lex.at = end;
	}
}

void pgm_tool_fill_templates(enum pgm_lint_tool tool, char *text)
{
	if (tool == PGM_LINT_FLYWAY)
		fill_placeholders(text);
	fill_templates(text);
}

/* Whether the file at path has a line "key = false" */
static bool says_false(struct pgm_arena *arena, const char *path, const char *key)
{
	char *text;
	size_t length;
	struct pgm_error err = {0};
	if (!pgm_script_text(arena, path, &text, &length, &err))
		return false;
	const char *line = line_with(text, key);
	const char *value = line ? strchr(line, '=') : NULL;
	return value && strncasecmp(value + 1 + strspn(value + 1, " \t"), "false", 5) == 0;
}

static bool flyway_forced(struct pgm_arena *arena, const char *path)
{
	return says_false(arena, pgm_sprintf(arena, "%s.conf", path), "executeInTransaction");
}

static bool diesel_forced(struct pgm_arena *arena, const char *path)
{
	char *folder = pgm_strndup(arena, path, (size_t)(base_name(path) - path));
	return says_false(arena, pgm_sprintf(arena, "%smetadata.toml", folder), "run_in_transaction");
}

/* A first line by which sqlx and postgres-migrations are told to open no transaction. */
static bool plain_forced(const char *text)
{
	size_t length = strcspn(text, "\n");
	return strncmp(text, "--", 2) == 0 && (memmem(text, length, "no-transaction", 14) ||
					       memmem(text, length, "disable-transaction", 19));
}

static void add(struct pgm_arena *arena, struct pgm_sections *sections, struct pgm_section section)
{
	if (section.from < section.to)
		*pgm_vec_add(arena, sections) = section;
}

/* Each "-- migrate:up" block up to the next "-- migrate:"; the others undo. */
static void add_dbmate(struct pgm_arena *arena, const char *text, struct pgm_sections *sections)
{
	size_t block = 0;
	for (const char *at = line_with(text, "-- migrate:"); at;) {
		const char *body = at + strcspn(at, "\n");
		const char *next = *body ? line_with(body + 1, "-- migrate:") : NULL;
		const char *mark = strstr(at, "-- migrate:") + 11;
		const char *option = strstr(mark, "transaction:");
		bool bare = option && option < body && strncmp(option + 12, "false", 5) == 0;
		if (strncmp(mark, "up", 2) == 0)
			add(arena, sections,
			    (struct pgm_section){.from = (size_t)(body - text),
						 .to = next ? (size_t)(next - text) : strlen(text),
						 .block = ++block,
						 .in_transaction = !bare,
						 .one_message = true});
		at = next;
	}
}

/* What stands between StatementBegin and StatementEnd is one message; the rest is sent one by one. */
static void add_messages(struct pgm_arena *arena, const char *text, const char *from, const char *end,
			 const char *mark, struct pgm_sections *sections)
{
	const char *begins = pgm_sprintf(arena, "%s StatementBegin", mark);
	const char *ends = pgm_sprintf(arena, "%s StatementEnd", mark);
	while (from && from < end) {
		const char *begin = line_before(from, end, begins);
		const char *stop = begin ? line_before(begin, end, ends) : NULL;
		const char *middle = begin ? begin : end;
		add(arena, sections,
		    (struct pgm_section){.from = (size_t)(from - text),
					 .to = (size_t)(middle - text),
					 .block = sections->count + 1});
		if (begin)
			add(arena, sections,
			    (struct pgm_section){.from = (size_t)(begin - text),
						 .to = (size_t)((stop ? stop : end) - text),
						 .block = sections->count + 1,
						 .one_message = true});
		from = stop;
		if (from)
			from += strcspn(from, "\n");
	}
}

/* goose and sql-migrate: "MARK Up [notransaction]" to "MARK Down". */
static void add_marked(struct pgm_arena *arena, const char *text, const char *mark,
		       struct pgm_sections *sections)
{
	const char *up = line_with(text, pgm_sprintf(arena, "%s Up", mark));
	const char *no = line_with(text, pgm_sprintf(arena, "%s NO TRANSACTION", mark));
	if (!up)
		return;
	const char *body = up + strcspn(up, "\n");
	const char *down = line_with(body, pgm_sprintf(arena, "%s Down", mark));
	const char *end = down ? down : text + strlen(text);
	size_t first = sections->count;
	/* Without its transaction each statement is alone; with it the messages do not matter. */
	add_messages(arena, text, body, end, mark, sections);
	bool bare = no || memmem(up, (size_t)(body - up), "notransaction", 13);
	for (size_t i = first; !bare && i < sections->count; i++) {
		sections->items[i].in_transaction = true;
		sections->items[i].block = 1;
	}
}

void pgm_tool_sections(struct pgm_arena *arena, const char *path, enum pgm_lint_tool tool, const char *text,
		       bool wrap, struct pgm_sections *sections)
{
	struct pgm_section whole = {.to = strlen(text), .block = 1, .in_transaction = wrap};
	if (tool == PGM_LINT_DBMATE && line_with(text, "-- migrate:up")) {
		add_dbmate(arena, text, sections);
		return;
	}
	if (tool == PGM_LINT_GOOSE || tool == PGM_LINT_SQL_MIGRATE) {
		add_marked(arena, text, tool == PGM_LINT_GOOSE ? "-- +goose" : "-- +migrate", sections);
		return;
	}
	if (tool == PGM_LINT_FLYWAY)
		whole.in_transaction = !flyway_forced(arena, path);
	else if (tool == PGM_LINT_DIESEL)
		whole.in_transaction = !diesel_forced(arena, path);
	else if (wrap && plain_forced(text))
		whole.in_transaction = false;
	whole.one_message = tool == PGM_LINT_GOLANG_MIGRATE || tool == PGM_LINT_DIESEL ||
			    tool == PGM_LINT_PRISMA || tool == PGM_LINT_DBMATE ||
			    (wrap && plain_forced(text));
	add(arena, sections, whole);
}
