#include "change/emit/parts.h"
#include "sql/lex.h"

#include <ctype.h>
#include <string.h>

char *pgm_emit_line(struct pgm_arena *arena, const char *text)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_add(&out, "");
	size_t left = text ? strlen(text) : 0, length;
	for (const char *p = text; left; p += length, left -= length) {
		int code = pgm_sql_control_char(p, left, &length);
		if (code == '\t')
			pgm_buf_char(&out, ' ');
		else if (code == '\n')
			pgm_buf_add(&out, "\\n");
		else if (code >= 0)
			pgm_buf_printf(&out, "\\u%04X", (unsigned)code);
		else if (length == 1 && (unsigned char)*p >= 0x80)
			pgm_buf_char(&out, '?'); /* Python and Ruby would not read the file */
		else
			pgm_buf_add_n(&out, p, length);
	}
	return out.text;
}

void pgm_emit_comment(struct pgm_buf *out, const char *prefix, const char *text)
{
	/* "-- migrate:" and "-- pgmend:" mean something to dbmate and to us, "-- flyway" perhaps to Flyway.
	 */
	static const char *const marks[] = {"migrate:", "pgmend:", "flyway"};
	char *line = pgm_emit_line(out->arena, text);
	/* Some cut SQL at each semicolon (Prisma's driver adapters, golang-migrate's x-multi-statement). */
	for (char *p = strchr(line, ';'); p && p[1]; p = strchr(p + 1, ';'))
		*p = ',';
	const char *word = line + strspn(line, " ");
	const char *dot = "";
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (strncasecmp(word, marks[i], strlen(marks[i])) == 0)
			dot = ".";
	pgm_buf_printf(out, "%s%s%s%s\n", prefix, *line ? " " : "", dot, line);
}

void pgm_emit_header(struct pgm_buf *out, const char *prefix, const struct pgm_emit *emit,
		     const struct pgm_emit_migration *migration)
{
	const struct pgm_change *change = migration->change;
	/* Python looks for the file's encoding in the first two lines: nothing that we do not know there. */
	pgm_emit_comment(out, prefix,
			 pgm_sprintf(out->arena, "Step %zu of Plan %s, written by pgmend " PGM_VERSION,
				     migration->change_number + 1, emit->plan->id));
	pgm_emit_comment(out, prefix, "");
	pgm_emit_comment(out, prefix, change->title ? change->title : "");
	if (migration->parts > 1)
		pgm_emit_comment(
			out, prefix,
			pgm_sprintf(out->arena, "part %zu of %zu", migration->part, migration->parts));
	for (size_t i = 0; migration->part == 1 && i < change->evidence_count; i++)
		pgm_emit_comment(out, prefix, change->evidence[i]);
	if (migration->parts == 1 && migration->up_count > 1) {
		pgm_emit_comment(out, prefix, "");
		pgm_emit_comment(
			out, prefix,
			"It is run statement by statement. Where it stops half way, run those of the way");
		pgm_emit_comment(out, prefix, "back before the next try: they take what is there.");
	}
	if (migration->drop_first) {
		pgm_emit_comment(out, prefix, "");
		pgm_emit_comment(
			out, prefix,
			"A build that was interrupted leaves an invalid index. Before the next try:");
		pgm_emit_comment(out, prefix, pgm_sprintf(out->arena, "  %s;", migration->drop_first));
	}
}

const char *pgm_emit_step_sql(struct pgm_arena *arena, const struct pgm_emit_step *step)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	/* Several statements in one query are one transaction, so SET LOCAL ends with it. */
	if (step->strong)
		pgm_buf_add(&out, "SET LOCAL lock_timeout = '" PGM_EMIT_LOCK_TIMEOUT "';\n");
	for (size_t i = 0; i < step->count; i++)
		pgm_buf_printf(&out, "%s;%s", step->statements[i], i + 1 < step->count ? "\n" : "");
	return out.text;
}

void pgm_emit_python(struct pgm_buf *out, const char *text)
{
	pgm_buf_add(out, "\"\"\"");
	for (const char *p = text; *p; p++) {
		/* A quote that meets another one, or the end, could close the string. */
		if (*p == '\\' || (*p == '"' && (p[1] == '"' || p[1] == '\0')))
			pgm_buf_char(out, '\\');
		pgm_buf_char(out, *p);
	}
	pgm_buf_add(out, "\"\"\"");
}

void pgm_emit_template(struct pgm_buf *out, const char *text)
{
	pgm_buf_char(out, '`');
	for (const char *p = text; *p; p++) {
		if (*p == '\\' || *p == '`' || (*p == '$' && p[1] == '{'))
			pgm_buf_char(out, '\\');
		pgm_buf_char(out, *p);
	}
	pgm_buf_char(out, '`');
}

/* Whether a line of the text, without the space around it, is this word. */
static bool has_line(const char *text, const char *word)
{
	size_t length = strlen(word);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		const char *start = line + strspn(line, " \t\r\f\v");
		if (strncmp(start, word, length) != 0)
			continue;
		size_t rest = strspn(start + length, " \t\r\f\v");
		if (start[length + rest] == '\n' || start[length + rest] == '\0')
			return true;
	}
	return false;
}

void pgm_emit_heredoc(struct pgm_buf *out, const char *text, const char *indent)
{
	const char *word = "SQL";
	for (int n = 2; has_line(text, word); n++)
		word = pgm_sprintf(out->arena, "SQL%d", n);
	/* In single quotes nothing is interpreted; <<~ takes away the indentation that all lines share. */
	pgm_buf_printf(out, "<<~'%s'\n", word);
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");
		if (length)
			pgm_buf_printf(out, "%s  %.*s", indent, (int)length, line);
		pgm_buf_char(out, '\n');
		line += length + (line[length] == '\n');
	}
	pgm_buf_printf(out, "%s%s\n", indent, word);
}

char *pgm_emit_slug(struct pgm_arena *arena, const char *text, size_t max_bytes)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_add(&out, "");
	bool gap = false;
	for (const char *p = text; *p; p++) {
		if (!isalnum((unsigned char)*p) || (unsigned char)*p >= 0x80) {
			gap = out.length > 0;
			continue;
		}
		if (out.length + gap + 1 > max_bytes)
			break;
		if (gap)
			pgm_buf_char(&out, '_');
		gap = false;
		pgm_buf_char(&out, (char)tolower((unsigned char)*p));
	}
	return out.text;
}

char *pgm_emit_camel(struct pgm_arena *arena, const char *slug)
{
	char *out = pgm_strdup(arena, slug);
	size_t length = 0;
	bool first = true;
	for (const char *p = slug; *p; p++) {
		if (*p != '_')
			out[length++] = first ? (char)toupper((unsigned char)*p) : *p;
		first = *p == '_';
	}
	out[length] = '\0';
	return out;
}
