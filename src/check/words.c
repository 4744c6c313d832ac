#include "check/words.h"

#include "util/buf.h"
#include "util/embedded.h"
#include "util/format.h"

#include <string.h>

/*
 * Literals of a query as it runs are the users' data. From a dollar quote on all is cut; escape strings come
 * before plain ones, whose ends they hide; a text that the server cut may end within one.
 */
const char pgm_check_masked_query[] =
	"pg_catalog.left(pg_catalog.regexp_replace(pg_catalog.regexp_replace(pg_catalog.regexp_replace("
	"pg_catalog.regexp_replace(pg_catalog.regexp_replace(query, "
	"'\\$[[:alpha:]_]*\\$.*$', '...'), "
	"'[eE]''(\\\\.|''''|[^''\\\\])*(''|$)', '''...''', 'g'), "
	"'''([^'']|'''')*(''|$)', '''...''', 'g'), "
	"'([^[:alnum:]_$\"]|^)[0-9][[:alnum:]_.]*', '\\1?', 'g'), "
	"'\\s+', ' ', 'g'), 200)";

const char *pgm_check_texts_source(struct pgm_arena *arena, size_t param)
{
	return pgm_sprintf(arena,
			   "pg_catalog.jsonb_to_recordset($%zu::pg_catalog.jsonb) "
			   "AS texts (queryid pg_catalog.int8, verb pg_catalog.text, text pg_catalog.text)",
			   param);
}

static const char *schema_word(const char *name, void *arg)
{
	return strcmp(name, "pg_stat_statements_schema") == 0 ? arg : NULL;
}

bool pgm_check_texts_read(struct pgm_conn *conn, struct pgm_arena *arena, const char *schema, char **texts,
			  struct pgm_error *err)
{
	union { /* expand() takes what it hands on as not const */
		const char *in;
		void *out;
	} given = {.in = schema};
	const char *sql =
		pgm_check_expand(arena, pgm_embedded_text("check/texts.sql"), schema_word, given.out);
	return pgm_conn_value(
		conn, arena,
		pgm_sprintf(arena, "SELECT COALESCE(pg_catalog.jsonb_agg(t), '[]') FROM (\n%s\n) AS t", sql),
		0, NULL, texts, err);
}

const char *pgm_check_host_word(struct pgm_arena *arena, const struct pgm_check_host *host, const char *name)
{
	if (strcmp(name, "host_memory_bytes") == 0)
		return host->memory_bytes
			       ? pgm_sprintf(arena, "%lld::pg_catalog.float8", (long long)host->memory_bytes)
			       : "NULL::pg_catalog.float8";
	if (strcmp(name, "host_seeks") == 0)
		return host->seeks < 0 ? "NULL::pg_catalog.int4" : pgm_sprintf(arena, "%d", host->seeks);
	return NULL;
}

void pgm_check_set_line(struct pgm_buf *out, const char *name, const char *value)
{
	/* psql takes blanks and quotes away from what \set is given unless it is quoted. */
	pgm_buf_printf(out, "\\set %s '", name);
	for (const char *c = value; *c; c++)
		pgm_buf_printf(out, *c == '\'' || *c == '\\' ? "\\%c" : "%c", *c);
	pgm_buf_add(out, "'\n");
}

/* Without comments, on one line: \set ends with its line. */
static const char *flattened(struct pgm_arena *arena, const char *sql)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_char(&out, '(');
	while (*sql) {
		size_t length = strcspn(sql, "\n");
		size_t indent = strspn(sql, "\t ");
		if (strncmp(sql + indent, "--", 2) != 0) {
			pgm_buf_add_n(&out, sql + indent, length - indent);
			pgm_buf_char(&out, ' ');
		}
		sql += length;
		sql += *sql == '\n';
	}
	pgm_buf_add(&out, ") AS texts");
	return out.text;
}

struct used {
	bool memory, seeks, texts, query;
};

static const char *note_word(const char *name, void *arg)
{
	struct used *used = arg;
	used->memory = used->memory || strcmp(name, "host_memory_bytes") == 0;
	used->seeks = used->seeks || strcmp(name, "host_seeks") == 0;
	used->texts = used->texts || strcmp(name, "statement_texts") == 0;
	used->query = used->query || strcmp(name, "masked_query") == 0;
	return NULL;
}

void pgm_check_words_explain(struct pgm_arena *arena, const char *sql, struct pgm_buf *out)
{
	struct used used = {0};
	pgm_check_expand(arena, sql, note_word, &used);
	struct pgm_check_host nothing = {.seeks = -1};
	if (used.memory)
		pgm_check_set_line(out, "host_memory_bytes",
				   pgm_check_host_word(arena, &nothing, "host_memory_bytes"));
	if (used.seeks)
		pgm_check_set_line(out, "host_seeks", pgm_check_host_word(arena, &nothing, "host_seeks"));
	if (used.texts)
		pgm_check_set_line(out, "statement_texts",
				   flattened(arena, pgm_embedded_text("check/texts.sql")));
	if (used.query)
		pgm_check_set_line(out, "masked_query", pgm_check_masked_query);
}
