#include "change/steps.h"

#include "pg/quote.h"
#include "sql/index_sql.h"
#include "util/buf.h"
#include "util/embedded.h"

/* A concurrent drop blocks nobody while it waits, so its tries may be longer. */
#define CONCURRENT_TRY_FACTOR 10

bool pgm_drop_index(struct pgm_run *run, const struct pgm_target_index *index, bool watched,
		    struct pgm_error *err)
{
	const char *name = pgm_target_index_quoted(run, index);
	bool ok;
	if (index->kind == 'I') {
		/* There is no concurrent form for an index of a partitioned table. */
		const char *sql = pgm_sprintf(run->arena, "DROP INDEX %s", name);
		ok = pgm_run_locked(run, sql, index->relation_oid, run->options->lock_timeout_ms, err);
	} else {
		const char *sql = pgm_sprintf(run->arena, "DROP INDEX CONCURRENTLY %s", name);
		ok = watched ? pgm_run_watched(run, sql, err)
			     : pgm_run_locked(run, sql, index->relation_oid,
					      run->options->lock_timeout_ms * CONCURRENT_TRY_FACTOR, err);
	}
	return ok || pgm_error_context(err, "dropping index %s", name);
}

static void add_extras(struct pgm_buf *out, struct pgm_arena *arena, const struct pgm_rows *rows, size_t r)
{
	const char *name = pgm_quote_qualified(arena, pgm_rows_text(rows, r, 1), pgm_rows_text(rows, r, 2));
	const char *table = pgm_rows_text(rows, r, 9);
	if (pgm_rows_get(rows, r, 6))
		pgm_buf_printf(out, "COMMENT ON INDEX %s IS %s;\n", name, pgm_rows_text(rows, r, 6));
	if (pgm_rows_get(rows, r, 12))
		pgm_buf_printf(out, "%s\n", pgm_rows_text(rows, r, 12));
	if (pgm_rows_bool(rows, r, 7))
		pgm_buf_printf(out, "ALTER TABLE %s CLUSTER ON %s;\n", table,
			       pgm_quote_ident(arena, pgm_rows_text(rows, r, 2)));
	if (pgm_rows_bool(rows, r, 8))
		pgm_buf_printf(out, "ALTER TABLE %s REPLICA IDENTITY USING INDEX %s;\n", table,
			       pgm_quote_ident(arena, pgm_rows_text(rows, r, 2)));
}

bool pgm_drop_inverse(struct pgm_run *run, const struct pgm_target_index *index, const char **sql,
		      struct pgm_error *err)
{
	struct pgm_arena *arena = run->arena;
	struct pgm_rows rows;
	const char *params[] = {index->oid};
	/* On the control session, whose search_path names no schema: the definitions are complete. */
	if (!pgm_conn_query(run->control, arena, pgm_embedded_text("change/sql/index_inverse.sql"), 1, params,
			    &rows, err))
		return pgm_error_context(err, "reading the definition of the index");
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	for (size_t r = 0; r < rows.count; r++) {
		bool partitioned = *pgm_rows_text(&rows, r, 3) == 'I';
		struct pgm_index_rewrite how = {.concurrently = !partitioned,
						.only = partitioned,
						.tablespace = pgm_rows_get(&rows, r, 5)};
		const char *create = pgm_index_sql_rewrite(arena, pgm_rows_text(&rows, r, 4), &how);
		if (!create)
			return pgm_error_set(err, PGM_ERR_STATE, "cannot read the definition: %s",
					     pgm_rows_text(&rows, r, 4));
		pgm_buf_printf(&out, "%s;\n", create);
	}
	for (size_t r = rows.count; r-- > 1;)
		pgm_buf_printf(
			&out, "ALTER INDEX %s ATTACH PARTITION %s;\n", pgm_rows_text(&rows, r, 11),
			pgm_quote_qualified(arena, pgm_rows_text(&rows, r, 1), pgm_rows_text(&rows, r, 2)));
	for (size_t r = 0; r < rows.count; r++)
		add_extras(&out, arena, &rows, r);
	*sql = out.text;
	return rows.count > 0 || pgm_error_set(err, PGM_ERR_STATE, "index %s has just gone",
					       pgm_target_index_quoted(run, index));
}
