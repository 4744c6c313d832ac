/*
 * Estimated index sizes beside real ones: size_bench INDEXES.sql CONNINFO [CONNINFO_BUILT]
 *
 * Reads CREATE INDEX statements, estimates each from the statistics of the first database alone, and prints
 * name, definition, estimate, HypoPG's estimate (where the extension is installed there) and, with a second
 * database in which the indexes exist, the real size; tab-separated, sizes in bytes, 0 for what is not known.
 */
#include "advise/expression.h"
#include "advise/size.h"
#include "catalog/index_parse.h"
#include "catalog/selectivity.h"
#include "pg/quote.h"
#include "sql/split.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
	struct pgm_arena *arena;
	struct pgm_conn *conn;
	struct pgm_conn *built; /* or NULL */
	struct pgm_catalog *catalog;
	struct pgm_map samples;
};

static char *read_file(struct pgm_arena *arena, const char *path)
{
	FILE *file = fopen(path, "r");
	if (!file) {
		fprintf(stderr, "size_bench: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	char *text = pgm_arena_alloc(arena, 1 << 20);
	size_t length = fread(text, 1, (1 << 20) - 1, file);
	text[length] = '\0';
	fclose(file);
	return text;
}

/* A size that the server knows, or 0. */
static double ask(struct bench *bench, struct pgm_conn *conn, const char *sql, const char *param)
{
	struct pgm_error ignored;
	char *value = NULL;
	if (!conn || !pgm_conn_value(conn, bench->arena, sql, 1, &param, &value, &ignored) || !value)
		return 0;
	return strtod(value, NULL);
}

static double hypopg_size(struct bench *bench, const char *sql)
{
	const char *schema = pgm_catalog_extension(bench->catalog, "hypopg");
	if (!schema)
		return 0;
	schema = pgm_quote_ident(bench->arena, schema);
	char *create = pgm_sprintf(
		bench->arena, "SELECT %s.hypopg_relation_size(indexrelid) FROM %s.hypopg_create_index($1)",
		schema, schema);
	double size = ask(bench, bench->conn, create, sql);
	pgm_conn_exec_quietly(bench->conn, pgm_sprintf(bench->arena, "SELECT %s.hypopg_reset()", schema));
	return size;
}

static bool judge(struct bench *bench, const char *sql, struct pgm_error *err)
{
	struct pgm_index_def def;
	const char *name;
	if (!pgm_index_parse(bench->arena, bench->catalog, sql, &def, &name, err) ||
	    !pgm_catalog_load_statistics(bench->catalog, bench->conn, &def.table, 1, err) ||
	    !pgm_expression_sample(bench->arena, bench->conn, &def, &bench->samples, err))
		return false;
	def.predicate_share = pgm_predicate_share(bench->arena, def.table, def.predicate);
	char *index = pgm_quote_qualified(bench->arena, def.table->schema, name ? name : "");
	printf("%s\t%s %s\t%.0f\t%.0f\t%.0f\n", name ? name : "", def.table->name,
	       pgm_index_def_body(bench->arena, &def), pgm_size_estimate(&def), hypopg_size(bench, sql),
	       ask(bench, bench->built, "SELECT pg_catalog.pg_relation_size(pg_catalog.to_regclass($1))",
		   index));
	return true;
}

static bool judge_all(struct bench *bench, const char *path, struct pgm_error *err)
{
	struct pgm_sql_statements statements;
	if (!pgm_sql_split(bench->arena, read_file(bench->arena, path), &statements, err))
		return false;
	bench->catalog = pgm_catalog_read(bench->arena, bench->conn, err);
	for (size_t i = 0; bench->catalog && i < statements.count; i++)
		if (!judge(bench, statements.items[i].text, err))
			return pgm_error_context(err, "line %d", statements.items[i].line);
	return bench->catalog != NULL;
}

int main(int argc, char **argv)
{
	struct pgm_error err = {0};
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	if (argc < 3) {
		fprintf(stderr, "usage: size_bench INDEXES.sql CONNINFO [CONNINFO_BUILT]\n");
		return 2;
	}
	struct pgm_conn_options first = {.conninfo = argv[2]},
				second = {.conninfo = argc > 3 ? argv[3] : NULL};
	PGM_AUTO_CONN conn = pgm_conn_open(&first, &err);
	PGM_AUTO_CONN built = conn && argc > 3 ? pgm_conn_open(&second, &err) : NULL;
	struct bench bench = {.arena = arena, .conn = conn, .built = built};
	pgm_map_init(&bench.samples, arena);
	if (!conn || (argc > 3 && !built) || !judge_all(&bench, argv[1], &err)) {
		fprintf(stderr, "size_bench: %s\n", err.message);
		return 1;
	}
	return 0;
}
