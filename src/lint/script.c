#include "lint/script.h"

#include "lint/comments.h"
#include "lint/tools.h"
#include "sql/newer.h"
#include "util/buf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static void add_problem(struct pgm_arena *arena, struct pgm_script *script, int line, const char *message,
			const char *hint)
{
	*pgm_vec_add(arena, &script->problems) = (struct pgm_lint_problem){
		.message = pgm_sprintf(arena, "%s:%d: %s", script->path, line, message),
		.hint = pgm_strdup(arena, hint),
	};
}

bool pgm_script_text(struct pgm_arena *arena, const char *path, char **text, size_t *length,
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

static void parse_statement(struct pgm_arena *arena, struct pgm_script *script,
			    struct pgm_script_statement *statement)
{
	struct pgm_error err = {0};
	if (pgm_ops_parse(arena, statement->text, statement->line, &statement->ops, &err))
		return;
	struct pgm_error again = {0};
	const char *older = pgm_sql_alias_subqueries(arena, statement->text);
	if (older && pgm_ops_parse(arena, older, statement->line, &statement->ops, &again))
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

static void add_section(struct pgm_arena *arena, struct pgm_script *script, const char *text,
			const struct pgm_section *section)
{
	struct pgm_sql_statements found;
	struct pgm_error err = {0};
	int line = 1;
	for (size_t i = 0; i < section->from; i++)
		line += text[i] == '\n';
	if (!pgm_sql_split(arena, pgm_strndup(arena, text + section->from, section->to - section->from),
			   &found, &err)) {
		int at = 1, skip = 0;
		if (sscanf(err.message, "line %d: %n", &at, &skip) < 1)
			skip = 0;
		add_problem(arena, script, line + at - 1, err.message + skip, err.hint);
		return;
	}
	bool joined = section->one_message && found.count > 1;
	for (size_t i = 0; i < found.count; i++)
		*pgm_vec_add(arena, &script->statements) = (struct pgm_script_statement){
			.text = found.items[i].text,
			.offset = section->from + found.items[i].offset,
			.length = found.items[i].length,
			.line = line + found.items[i].line - 1,
			.block = section->block,
			/* Several statements in one message are one transaction, asked for or not. */
			.block_transaction = section->in_transaction || joined,
		};
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
	if (!pgm_script_text(arena, path, &text, &length, err))
		return false;
	replace_other_encodings(text);
	script->text = pgm_strdup(arena, text);
	script->tool = options->tool ? options->tool : pgm_tool_tell(path, text);
	if (pgm_tool_undoes(path) && !alone) {
		script->skipped = "it undoes; name it alone to lint it";
		return true;
	}
	if (strncmp(text, "\xEF\xBB\xBF", 3) == 0)
		blank(text, 0, 3);
	blank_psql(text);
	pgm_tool_fill_templates(script->tool, text);
	struct pgm_sections sections = {0};
	pgm_tool_sections(arena, path, script->tool, text, options->in_transaction, &sections);
	for (size_t i = 0; i < sections.count; i++)
		add_section(arena, script, text, &sections.items[i]);
	pgm_comments_read(arena, script, text);
	for (size_t i = 0; i < script->statements.count; i++)
		if (!script->statements.items[i].unread)
			parse_statement(arena, script, &script->statements.items[i]);
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
