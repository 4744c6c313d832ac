#include "change/target.h"

#include "pg/quote.h"
#include "sql/index_sql.h"
#include "util/embedded.h"

#include <string.h>

#define SHAPE_TABLE "pg_temp.pgmend_shape"

bool pgm_target_relation(struct pgm_run *run, const char *schema, const char *name, struct pgm_target *target,
			 struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {schema, name};
	*target = (struct pgm_target){.oid = "0", .schema = schema, .name = name};
	/* On the work session: its search_path is the user's. */
	if (!pgm_conn_query(run->work, run->arena, pgm_embedded_text("change/sql/relation.sql"), 2, params,
			    &rows, err))
		return pgm_error_context(err, "looking for relation %s", pgm_quote_ident(run->arena, name));
	if (rows.count == 0)
		return true;
	*target = (struct pgm_target){
		.there = true,
		.oid = pgm_rows_text(&rows, 0, 0),
		.schema = pgm_rows_text(&rows, 0, 1),
		.name = pgm_rows_text(&rows, 0, 2),
		.kind = *pgm_rows_text(&rows, 0, 3),
		.temporary = *pgm_rows_text(&rows, 0, 4) == 't',
		.owner = pgm_rows_text(&rows, 0, 5),
		.may_own = pgm_rows_bool(&rows, 0, 6),
		.may_create = pgm_rows_bool(&rows, 0, 7),
		.system = pgm_rows_bool(&rows, 0, 8),
		.is_partition = pgm_rows_bool(&rows, 0, 9),
		.foreign_partitions = pgm_rows_int(&rows, 0, 10),
		.no_statistics = pgm_rows_bool(&rows, 0, 11),
	};
	return true;
}

bool pgm_target_index(struct pgm_run *run, const char *schema, const char *name,
		      struct pgm_target_index *index, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {schema, name};
	*index = (struct pgm_target_index){.oid = "0", .schema = schema, .name = name, .size_bytes = -1};
	if (!pgm_conn_query(run->work, run->arena, pgm_embedded_text("change/sql/index.sql"), 2, params,
			    &rows, err))
		return pgm_error_context(err, "looking for index %s", pgm_quote_ident(run->arena, name));
	if (rows.count == 0)
		return true;
	*index = (struct pgm_target_index){
		.there = true,
		.oid = pgm_rows_text(&rows, 0, 0),
		.schema = pgm_rows_text(&rows, 0, 1),
		.name = pgm_rows_text(&rows, 0, 2),
		.kind = *pgm_rows_text(&rows, 0, 3),
		.relation_oid = pgm_rows_text(&rows, 0, 4),
		.relation = pgm_rows_text(&rows, 0, 5),
		.relation_schema = pgm_rows_text(&rows, 0, 6),
		.valid = pgm_rows_bool(&rows, 0, 7),
		.definition = pgm_rows_get(&rows, 0, 8),
		.may_own = pgm_rows_bool(&rows, 0, 9),
		.owner = pgm_rows_text(&rows, 0, 10),
		.size_bytes = pgm_rows_int(&rows, 0, 11),
		.expressions = pgm_rows_bool(&rows, 0, 12),
		.parent_oid = pgm_rows_text(&rows, 0, 13),
	};
	return true;
}

const char *pgm_target_quoted(struct pgm_run *run, const struct pgm_target *target)
{
	return *target->schema ? pgm_quote_qualified(run->arena, target->schema, target->name)
			       : pgm_quote_ident(run->arena, target->name);
}

const char *pgm_target_index_quoted(struct pgm_run *run, const struct pgm_target_index *index)
{
	return *index->schema ? pgm_quote_qualified(run->arena, index->schema, index->name)
			      : pgm_quote_ident(run->arena, index->name);
}

static bool read_servers(struct pgm_run *run, const struct pgm_target *target, const char *index,
			 struct pgm_target_server **servers, size_t *count, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {target->oid, index};
	if (!pgm_conn_query(run->work, run->arena, pgm_embedded_text("change/sql/serves.sql"), 2, params,
			    &rows, err))
		return false;
	*servers = PGM_NEW_ARRAY(run->arena, struct pgm_target_server, rows.count + 1);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		(*servers)[i] = (struct pgm_target_server){
			.schema = pgm_rows_text(&rows, i, 0),
			.name = pgm_rows_text(&rows, i, 1),
			.oid = pgm_rows_text(&rows, i, 2),
			.valid = pgm_rows_bool(&rows, i, 3),
		};
	return true;
}

/* The search_path matters: pg_get_indexdef() leaves out the schemas that are in it. */
static bool read_duplicates(struct pgm_run *run, const struct pgm_target *target, const char **query,
			    struct pgm_error *err)
{
	struct pgm_rows rows;
	*query = NULL;
	if (!pgm_conn_query(run->work, run->arena, pgm_embedded_text("change/sql/shape_keys.sql"), 1,
			    &target->oid, &rows, err))
		return false;
	if (rows.count)
		*query = pgm_sprintf(
			run->arena,
			"SELECT pg_catalog.concat_ws(', ', %s), count(*) FROM %s WHERE %s AND (%s) "
			"GROUP BY %s HAVING count(*) > 1 LIMIT 1",
			pgm_rows_text(&rows, 0, 0), pgm_target_quoted(run, target),
			pgm_rows_text(&rows, 0, 1), pgm_rows_text(&rows, 0, 2), pgm_rows_text(&rows, 0, 0));
	return true;
}

bool pgm_target_servers(struct pgm_run *run, const struct pgm_target *target, const char *create_sql,
			const char *index, struct pgm_target_server **servers, size_t *count,
			const char **duplicates, struct pgm_error *err)
{
	struct pgm_index_rewrite how = {.relation = SHAPE_TABLE};
	const char *shape = pgm_index_sql_rewrite(run->arena, create_sql, &how);
	*servers = NULL;
	*count = 0;
	*duplicates = NULL;
	if (!shape)
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot read this CREATE INDEX: %s", create_sql);
	const char *copy =
		pgm_sprintf(run->arena,
			    PGM_CONN_MARKER "BEGIN; SET LOCAL lock_timeout = 2000; CREATE TEMPORARY TABLE "
					    "pgmend_shape (LIKE %s) ON COMMIT DROP",
			    pgm_target_quoted(run, target));
	bool ok = pgm_conn_exec(run->work, copy, err);
	if (!ok && err && strcmp(err->sqlstate, "42501") == 0) {
		pgm_conn_exec_quietly(run->work, "ROLLBACK");
		pgm_error_clear(err);
		return true;
	}
	ok = ok && pgm_conn_exec(run->work, shape, err) &&
	     read_servers(run, target, index, servers, count, err) &&
	     read_duplicates(run, target, duplicates, err);
	pgm_conn_exec_quietly(run->work, "ROLLBACK");
	return ok;
}
