#include "lint/script.h"

#include "lint/comments.h"
#include "util/buf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const char *const tool_names[] = {"auto", "plain", "dbmate", "golang-migrate", "flyway", "alembic"};

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

static void add_problem(struct pgm_arena *arena, struct pgm_script *script, int line, const char *message,
			const char *hint)
{
	*pgm_vec_add(arena, &script->problems) = (struct pgm_lint_problem){
		.message = pgm_sprintf(arena, "%s:%d: %s", script->path, line, message),
		.hint = pgm_strdup(arena, hint),
	};
}

static bool read_text(struct pgm_arena *arena, const char *path, char **text, size_t *length,
		      struct pgm_error *err)
{
	FILE *file = fopen(path, "r");
	struct stat status;
	if (!file)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s: %s", path, strerror(errno));
	if (fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode)) {
		fclose(file);
		pgm_error_set(err, PGM_ERR_INPUT, "%s: it is a folder", path);
		return pgm_error_hint(err, "Name the files: %s/*.sql", path);
	}
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	pgm_buf_add(&buf, "");
	char block[16384];
	size_t count;
	while ((count = fread(block, 1, sizeof(block), file)) > 0 && buf.length <= PGM_LINT_FILE_MAX_BYTES)
		pgm_buf_add_n(&buf, block, count);
	bool broken = ferror(file);
	fclose(file);
	if (broken)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s: it cannot be read", path);
	if (buf.length > PGM_LINT_FILE_MAX_BYTES)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s: larger than %d MB", path,
				     PGM_LINT_FILE_MAX_BYTES >> 20);
	if (memchr(buf.text, '\0', buf.length))
		return pgm_error_set(err, PGM_ERR_INPUT, "%s: it is no text, there are NUL bytes in it",
				     path);
	*text = buf.text;
	*length = buf.length;
	return true;
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

/* A line of the text that begins so, after blanks; NULL where there is none. */
static const char *line_with(const char *text, const char *start)
{
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		const char *word = line + strspn(line, " \t");
		if (strncmp(word, start, strlen(start)) == 0)
			return line;
	}
	return NULL;
}

static enum pgm_lint_tool tell_tool(const char *path, const char *text)
{
	const char *name = base_name(path);
	if (line_with(text, "-- migrate:up"))
		return PGM_LINT_DBMATE;
	if (ends_with(name, ".up.sql") || ends_with(name, ".down.sql"))
		return PGM_LINT_GOLANG_MIGRATE;
	if (is_flyway_name(name))
		return PGM_LINT_FLYWAY;
	if (line_with(text, "-- Running upgrade") || line_with(text, "-- Running downgrade") ||
	    strstr(text, "alembic_version"))
		return PGM_LINT_ALEMBIC;
	return PGM_LINT_PLAIN;
}

static void blank(char *text, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (text[i] != '\n')
			text[i] = ' ';
}

/* Bytes of the UTF-8 character at text; 0 where it is none. */
static size_t character_length(const unsigned char *text)
{
	size_t length = *text < 0x80 ? 1 : *text >= 0xC2 && *text < 0xE0 ? 2 : *text < 0xF0 ? 3 : 4;
	if ((*text >= 0x80 && *text < 0xC2) || *text > 0xF4)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xC0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what is beyond Unicode. */
	bool odd = (*text == 0xE0 && text[1] < 0xA0) || (*text == 0xED && text[1] >= 0xA0) ||
		   (*text == 0xF0 && text[1] < 0x90) || (*text == 0xF4 && text[1] >= 0x90);
	return odd ? 0 : length;
}

/* Files in an old encoding are judged all the same; JSON and SARIF can hold UTF-8 alone. */
static void replace_other_encodings(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p;) {
		size_t length = character_length(p);
		if (!length)
			*p = '?';
		p += length ? length : 1;
	}
}

/* psql's backslash commands and the data that follows COPY ... FROM stdin are no SQL. */
static void blank_psql(char *text)
{
	bool data = false;
	for (char *line = text; *line;) {
		size_t length = strcspn(line, "\n");
		bool ends = data && length >= 2 && line[0] == '\\' && line[1] == '.';
		if (data || (*line == '\\' && isalpha((unsigned char)line[1])))
			blank(line, 0, length);
		data = data && !ends;
		size_t last = length;
		while (last && isspace((unsigned char)line[last - 1]))
			last--;
		if (!data && last > 12 && strncasecmp(line, "COPY ", 5) == 0 && line[last - 1] == ';') {
			char *from = strcasestr(line, " from stdin");
			data = from && from < line + length;
		}
		line += length + (line[length] == '\n');
	}
}

/* ${schema} stands for a name or a part of one. */
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

/* NAME.sql.conf beside the file */
static bool flyway_forced(struct pgm_arena *arena, const char *path)
{
	char *text;
	size_t length;
	struct pgm_error err = {0};
	if (!read_text(arena, pgm_sprintf(arena, "%s.conf", path), &text, &length, &err))
		return false;
	const char *line = line_with(text, "executeInTransaction");
	const char *value = line ? strchr(line, '=') : NULL;
	return value && strncasecmp(value + 1 + strspn(value + 1, " \t"), "false", 5) == 0;
}

static void parse_statement(struct pgm_arena *arena, struct pgm_script *script,
			    struct pgm_script_statement *statement)
{
	struct pgm_error err = {0};
	if (pgm_ops_parse(arena, statement->text, statement->line, &statement->ops, &err))
		return;
	/* "line 7: syntax error ..." -> file:7: syntax error ... */
	int line = statement->line;
	int skip = 0;
	if (sscanf(err.message, "line %d: %n", &line, &skip) < 1)
		skip = 0;
	add_problem(
		arena, script, line, err.message + skip,
		"It is read as PostgreSQL 15 would; \"-- pgmend:ignore-syntax\" before the statement passes "
		"over what a newer server or another tool understands.");
}

/* The statements of text[from..to), which the tool sends as one block. */
static void add_block(struct pgm_arena *arena, struct pgm_script *script, const char *text, size_t from,
		      size_t to, size_t block, bool in_transaction)
{
	struct pgm_sql_statements found;
	struct pgm_error err = {0};
	int line = 1;
	for (size_t i = 0; i < from; i++)
		line += text[i] == '\n';
	if (!pgm_sql_split(arena, pgm_strndup(arena, text + from, to - from), &found, &err)) {
		int at = 1, skip = 0;
		if (sscanf(err.message, "line %d: %n", &at, &skip) < 1)
			skip = 0;
		add_problem(arena, script, line + at - 1, err.message + skip, err.hint);
		return;
	}
	for (size_t i = 0; i < found.count; i++)
		*pgm_vec_add(arena, &script->statements) = (struct pgm_script_statement){
			.text = found.items[i].text,
			.offset = from + found.items[i].offset,
			.length = found.items[i].length,
			.line = line + found.items[i].line - 1,
			.block = block,
			.block_transaction = in_transaction,
		};
}

/* Each "-- migrate:up" block up to the next "-- migrate:"; the others undo. */
static void add_dbmate(struct pgm_arena *arena, struct pgm_script *script, const char *text)
{
	size_t block = 0;
	for (const char *at = line_with(text, "-- migrate:"); at;) {
		const char *body = at + strcspn(at, "\n");
		const char *next = *body ? line_with(body + 1, "-- migrate:") : NULL;
		const char *mark = strstr(at, "-- migrate:") + 11;
		const char *option = strstr(mark, "transaction:");
		bool bare = option && option < body && strncmp(option + 12, "false", 5) == 0;
		if (strncmp(mark, "up", 2) == 0)
			add_block(arena, script, text, (size_t)(body - text),
				  next ? (size_t)(next - text) : strlen(text), ++block, !bare);
		at = next;
	}
}

static void add_statements(struct pgm_arena *arena, struct pgm_script *script, const char *text,
			   const struct pgm_lint_options *options)
{
	bool wrapped = options->in_transaction;
	if (script->tool == PGM_LINT_DBMATE && line_with(text, "-- migrate:up")) {
		add_dbmate(arena, script, text);
		return;
	}
	if (script->tool == PGM_LINT_FLYWAY) {
		script->flyway_forced = flyway_forced(arena, script->path);
		wrapped = !script->flyway_forced;
	}
	add_block(arena, script, text, 0, strlen(text), 1, wrapped);
}

/* Several statements in one message are one transaction, whether anyone asked for it or not. */
static void join_messages(struct pgm_script *script)
{
	struct pgm_script_statement *items = script->statements.items;
	for (size_t i = 1; i < script->statements.count; i++)
		if (items[i].block == items[i - 1].block)
			items[i].block_transaction = items[i - 1].block_transaction = true;
}

/* Flyway runs a file outside of a transaction where all of it must be run so. */
static void free_flyway(struct pgm_script *script)
{
	bool all = script->statements.count > 0;
	for (size_t i = 0; i < script->statements.count; i++) {
		const struct pgm_ops *ops = &script->statements.items[i].ops;
		bool setting = ops->count == 1 && ops->items[0].kind == PGM_OP_SET;
		all = all && (ops->no_transaction || setting);
	}
	for (size_t i = 0; all && i < script->statements.count; i++)
		script->statements.items[i].block_transaction = false;
}

bool pgm_script_read(struct pgm_arena *arena, const char *path, const struct pgm_lint_options *options,
		     bool alone, struct pgm_script *script, struct pgm_error *err)
{
	char *text;
	size_t length;
	*script = (struct pgm_script){.path = path};
	if (!read_text(arena, path, &text, &length, err))
		return false;
	replace_other_encodings(text);
	script->text = pgm_strdup(arena, text);
	script->tool = options->tool ? options->tool : tell_tool(path, text);
	if (ends_with(path, ".down.sql") && !alone) {
		script->skipped = "it undoes; name it alone to lint it";
		return true;
	}
	if (strncmp(text, "\xEF\xBB\xBF", 3) == 0)
		blank(text, 0, 3);
	blank_psql(text);
	if (script->tool == PGM_LINT_FLYWAY)
		fill_placeholders(text);
	add_statements(arena, script, text, options);
	pgm_comments_read(arena, script, text);
	for (size_t i = 0; i < script->statements.count; i++)
		if (!script->statements.items[i].unread)
			parse_statement(arena, script, &script->statements.items[i]);
	if (script->tool == PGM_LINT_GOLANG_MIGRATE || script->tool == PGM_LINT_DBMATE)
		join_messages(script);
	if (script->tool == PGM_LINT_FLYWAY)
		free_flyway(script);
	return true;
}

void pgm_script_position(const struct pgm_script *script, const struct pgm_script_statement *statement,
			 size_t offset, int *line, int *column)
{
	const char *at = script->text + statement->offset + (offset < statement->length ? offset : 0);
	*line = statement->line;
	for (const char *p = script->text + statement->offset; p < at; p++)
		*line += *p == '\n';
	*column = 1;
	for (const char *p = at; p > script->text && p[-1] != '\n'; p--)
		*column += ((unsigned char)p[-1] & 0xC0) != 0x80;
}
