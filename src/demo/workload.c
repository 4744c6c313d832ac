#include "demo/workload.h"

#include "demo/draw.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

#define TIMES_MAX 100000

struct parser {
	struct pgm_arena *arena;
	const char *app;
	struct pgm_demo_workload *workload;
	struct pgm_demo_statement statement; /* being read */
	const char *headline, *kind, *times; /* its values as text; NULL: not given */
	struct pgm_buf sql;
	int line; /* from 1 */
	struct pgm_error *err;
};

static bool fail(const struct parser *parser, const char *what, const char *value)
{
	return pgm_error_set(parser->err, PGM_ERR_INPUT, "%s.workload.sql, line %d: %s%s", parser->app,
			     parser->line, what, value);
}

static void start_statement(struct parser *parser)
{
	parser->statement = (struct pgm_demo_statement){.app = parser->app};
	parser->headline = parser->kind = parser->times = NULL;
	pgm_buf_init(&parser->sql, parser->arena);
}

static bool is_name(const char *text)
{
	return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")];
}

static bool take_property(struct parser *parser, const char *line)
{
	struct pgm_demo_statement *statement = &parser->statement;
	const char *colon = strchr(line, ':');
	if (parser->sql.length)
		return fail(parser, "a property in the middle of a statement: ", line);
	if (!colon)
		return fail(parser, "this is no property: ", line);
	char *key = pgm_strndup(parser->arena, line, (size_t)(colon - line));
	const char *value = colon + 1 + strspn(colon + 1, " ");
	const struct {
		const char *key;
		const char **place;
	} places[] = {
		{"name", &statement->name},	 {"title", &statement->title},
		{"headline", &parser->headline}, {"kind", &parser->kind},
		{"times", &parser->times},	 {"sample", &statement->sample},
		{"units", &statement->units},	 {"trigger", &statement->trigger},
	};
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (strcmp(places[i].key, key) != 0)
			continue;
		if (*places[i].place)
			return fail(parser, "given twice: ", key);
		if (!*value)
			return fail(parser, "this has no value: ", key);
		*places[i].place = value;
		return true;
	}
	return fail(parser, "there is no property ", key);
}

static bool take_kind(struct parser *parser)
{
	static const char *const names[] = {[PGM_DEMO_READ] = "read",
					    [PGM_DEMO_WRITE] = "write",
					    [PGM_DEMO_CASCADE_DELETE] = "cascade_delete"};
	struct pgm_demo_statement *statement = &parser->statement;
	for (int i = 0; parser->kind && i <= PGM_DEMO_CASCADE_DELETE; i++) {
		if (strcmp(parser->kind, names[i]) != 0)
			continue;
		statement->kind = (enum pgm_demo_kind)i;
		bool cascade = i == PGM_DEMO_CASCADE_DELETE;
		int given = !!statement->sample + !!statement->units + !!statement->trigger;
		if (given != (cascade ? 3 : 0))
			return fail(parser,
				    "a cascade_delete, and nothing else, has sample, units and trigger", "");
		return true;
	}
	return fail(parser, "the kind is read, write or cascade_delete, not ",
		    parser->kind ? parser->kind : "absent");
}

static bool check_properties(struct parser *parser)
{
	struct pgm_demo_statement *statement = &parser->statement;
	if (!statement->name || !is_name(statement->name))
		return fail(parser, "the statement has no good name", "");
	if (!statement->title)
		return fail(parser, "this statement has no title: ", statement->name);
	for (size_t i = 0; i < parser->workload->statements.count; i++) {
		const struct pgm_demo_statement *other = &parser->workload->statements.items[i];
		if (strcmp(other->app, parser->app) == 0 && strcmp(other->name, statement->name) == 0)
			return fail(parser, "two statements have the name ", statement->name);
	}
	const char *headline = parser->headline ? parser->headline : "";
	statement->headline = strcmp(headline, "yes") == 0;
	if (!statement->headline && strcmp(headline, "no") != 0)
		return fail(parser, "headline is yes or no, not ", *headline ? headline : "absent");
	char *end = NULL;
	long times = parser->times ? strtol(parser->times, &end, 10) : -1;
	if (times < 0 || times > TIMES_MAX || *end)
		return fail(parser, "times is a number, not ", parser->times ? parser->times : "absent");
	statement->times = (int)times;
	return take_kind(parser);
}

static bool end_statement(struct parser *parser)
{
	if (!check_properties(parser))
		return false;
	parser->statement.sql = pgm_strndup(parser->arena, parser->sql.text, parser->sql.length - 1);
	/* A placeholder that makes no sense shall show here, not in the middle of a run. */
	struct pgm_demo_random random = {0};
	struct pgm_error why = {0};
	if (!pgm_demo_expand(parser->arena, parser->statement.sql, &random, &why))
		return fail(parser, why.message, "");
	*pgm_vec_add(parser->arena, &parser->workload->statements) = parser->statement;
	start_statement(parser);
	return true;
}

static bool take_line(struct parser *parser, const char *line)
{
	size_t length = strlen(line);
	if (strncmp(line, "-- ", 3) == 0)
		return take_property(parser, line + 3);
	if (!parser->sql.length && !line[strspn(line, " \t")])
		return true;
	if (parser->sql.length)
		pgm_buf_char(&parser->sql, '\n');
	pgm_buf_add(&parser->sql, line);
	return length == 0 || line[length - 1] != ';' || end_statement(parser);
}

bool pgm_demo_workload_parse(struct pgm_arena *arena, const char *app, const char *text,
			     struct pgm_demo_workload *workload, struct pgm_error *err)
{
	struct parser parser = {.arena = arena, .app = app, .workload = workload, .err = err};
	start_statement(&parser);
	while (*text) {
		size_t length = strcspn(text, "\n");
		parser.line++;
		if (!take_line(&parser, pgm_strndup(arena, text, length)))
			return false;
		text += length + (text[length] == '\n');
	}
	if (parser.sql.length || parser.statement.name)
		return fail(&parser, "the last statement has no end", "");
	return true;
}

size_t pgm_demo_workload_pass_count(const struct pgm_demo_workload *workload)
{
	size_t count = 0;
	for (size_t i = 0; i < workload->statements.count; i++)
		count += (size_t)workload->statements.items[i].times;
	return count;
}

size_t pgm_demo_workload_headline_count(const struct pgm_demo_workload *workload)
{
	size_t count = 0;
	for (size_t i = 0; i < workload->statements.count; i++)
		count += workload->statements.items[i].headline;
	return count;
}
