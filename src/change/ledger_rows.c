#include "change/ledger.h"
#include "util/embedded.h"

#include <string.h>

static bool run(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql, size_t count,
		const char *const *params, struct pgm_error *err)
{
	struct pgm_rows rows;
	return pgm_conn_query(conn, arena, sql, count, params, &rows, err) ||
	       pgm_error_context(err, "writing the ledger");
}

static const char *int_text(struct pgm_arena *arena, int64_t number)
{
	return pgm_sprintf(arena, "%lld", (long long)number);
}

static bool read_plans(struct pgm_conn *conn, struct pgm_arena *arena, const char *const params[static 3],
		       struct pgm_ledger_plan **plans, size_t *count, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("change/sql/ledger_plans.sql"), 3, params, &rows,
			    err))
		return pgm_error_context(err, "reading the ledger");
	*plans = PGM_NEW_ARRAY(arena, struct pgm_ledger_plan, rows.count + 1);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		(*plans)[i] = (struct pgm_ledger_plan){
			.seq = pgm_rows_int(&rows, i, 0),
			.id = pgm_rows_text(&rows, i, 1),
			.title = pgm_rows_text(&rows, i, 2),
			.path = pgm_rows_text(&rows, i, 3),
			.source = pgm_rows_text(&rows, i, 4),
			.state = pgm_rows_text(&rows, i, 5),
			.applied_by = pgm_rows_text(&rows, i, 6),
			.started_at = pgm_rows_text(&rows, i, 7),
			.finished_at = pgm_rows_get(&rows, i, 8),
			.elapsed_ms = pgm_rows_double(&rows, i, 9),
			.error = pgm_rows_get(&rows, i, 10),
			.steps = pgm_rows_int(&rows, i, 11),
			.steps_done = pgm_rows_int(&rows, i, 12),
		};
	return true;
}

bool pgm_ledger_plans(struct pgm_conn *conn, struct pgm_arena *arena, const char *id, bool open_only,
		      struct pgm_ledger_plan **plans, size_t *count, struct pgm_error *err)
{
	const char *params[] = {id, open_only ? "t" : "f", NULL};
	return read_plans(conn, arena, params, plans, count, err);
}

bool pgm_ledger_unfinished(struct pgm_conn *conn, struct pgm_arena *arena, const char *title,
			   struct pgm_ledger_plan **plans, size_t *count, struct pgm_error *err)
{
	const char *params[] = {NULL, "f", title};
	return read_plans(conn, arena, params, plans, count, err);
}

bool pgm_ledger_steps(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq,
		      struct pgm_ledger_step **steps, size_t *count, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {int_text(arena, seq)};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("change/sql/ledger_steps.sql"), 1, params, &rows,
			    err))
		return pgm_error_context(err, "reading the ledger");
	*steps = PGM_NEW_ARRAY(arena, struct pgm_ledger_step, rows.count + 1);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		(*steps)[i] = (struct pgm_ledger_step){
			.step = (int)pgm_rows_int(&rows, i, 0),
			.kind = pgm_rows_text(&rows, i, 1),
			.title = pgm_rows_text(&rows, i, 2),
			.state = pgm_rows_text(&rows, i, 3),
			.attempt = (int)pgm_rows_int(&rows, i, 4),
			.pid = (int)pgm_rows_int(&rows, i, 5),
			.backend_start = pgm_rows_get(&rows, i, 6),
			.started_at = pgm_rows_get(&rows, i, 7),
			.elapsed_ms = pgm_rows_double(&rows, i, 8),
			.size_bytes = pgm_rows_int(&rows, i, 9),
			.note = pgm_rows_get(&rows, i, 10),
			.undo_sql = pgm_rows_get(&rows, i, 11),
			.error = pgm_rows_get(&rows, i, 12),
		};
	return true;
}

static bool add_rows(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
		     int64_t *seq, struct pgm_error *err)
{
	struct pgm_rows rows;
	json_t *utf8 = json_string(plan->path); /* a file's name need not be text */
	const char *params[] = {plan->id, plan->title, utf8 ? plan->path : NULL, plan->text, PGM_VERSION};
	json_decref(utf8);
	if (!pgm_conn_query(conn, arena,
			    "INSERT INTO pgmend.plan (id, title, path, source, state, program) "
			    "VALUES ($1, $2, $3, $4, 'running', $5) RETURNING seq",
			    5, params, &rows, err))
		return false;
	*seq = pgm_rows_int(&rows, 0, 0);
	for (size_t i = 0; i < plan->change_count; i++) {
		const struct pgm_change *change = &plan->changes[i];
		const char *values[] = {int_text(arena, *seq), int_text(arena, change->step),
					pgm_change_kind_name(change->kind), change->title};
		if (!run(conn, arena,
			 "INSERT INTO pgmend.change (plan_seq, step, kind, title) "
			 "VALUES ($1::bigint, $2::integer, $3, $4)",
			 4, values, err))
			return false;
	}
	return true;
}

bool pgm_ledger_add_plan(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
			 int64_t *seq, struct pgm_error *err)
{
	bool ok = pgm_conn_exec(conn, PGM_CONN_MARKER "BEGIN", err) &&
		  add_rows(conn, arena, plan, seq, err) && pgm_conn_exec(conn, PGM_CONN_MARKER "COMMIT", err);
	if (!ok)
		pgm_conn_exec_quietly(conn, "ROLLBACK");
	return ok || pgm_error_context(err, "writing the Plan into the ledger");
}

bool pgm_ledger_set_plan(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, const char *state,
			 const char *error, struct pgm_error *err)
{
	const char *params[] = {int_text(arena, seq), state, error};
	return run(conn, arena,
		   "UPDATE pgmend.plan SET state = $2, error = $3, finished_at = CASE WHEN $2 IN "
		   "('running', 'undoing') THEN NULL ELSE pg_catalog.clock_timestamp() END WHERE seq = "
		   "$1::bigint",
		   3, params, err);
}

bool pgm_ledger_set_step(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, int step,
			 const struct pgm_ledger_update *update, struct pgm_error *err)
{
	const char *params[] = {
		int_text(arena, seq),
		int_text(arena, step),
		update->state,
		update->error,
		update->note,
		update->size_bytes >= 0 ? int_text(arena, update->size_bytes) : NULL,
		update->pid ? int_text(arena, update->pid) : NULL,
		update->backend_start,
	};
	return run(conn, arena, pgm_embedded_text("change/sql/ledger_step.sql"), 8, params, err);
}

bool pgm_ledger_set_undo(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, int step,
			 const char *undo_sql, struct pgm_error *err)
{
	const char *params[] = {int_text(arena, seq), int_text(arena, step), undo_sql};
	return run(conn, arena,
		   "UPDATE pgmend.change SET undo_sql = $3 "
		   "WHERE plan_seq = $1::bigint AND step = $2::integer AND undo_sql IS NULL",
		   3, params, err);
}

bool pgm_ledger_mean(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, int step,
		     const char *schema, const char *index, const char *relation_oid, struct pgm_error *err)
{
	const char *params[] = {int_text(arena, seq), int_text(arena, step), schema, index, relation_oid};
	return run(conn, arena,
		   "INSERT INTO pgmend.made (plan_seq, step, schema_name, index_name, relation_oid) "
		   "VALUES ($1::bigint, $2::integer, $3, $4, $5::oid)",
		   5, params, err);
}

bool pgm_ledger_made(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, int step,
		     const char *schema, const char *index, const char *index_oid, struct pgm_error *err)
{
	const char *params[] = {int_text(arena, seq), int_text(arena, step), schema, index, index_oid};
	return run(conn, arena,
		   "UPDATE pgmend.made SET state = 'made', index_oid = $5::oid WHERE plan_seq = $1::bigint "
		   "AND step = $2::integer AND schema_name = $3 AND index_name = $4 AND state <> 'dropped'",
		   5, params, err);
}

bool pgm_ledger_dropped(struct pgm_conn *conn, struct pgm_arena *arena, int64_t made_id,
			struct pgm_error *err)
{
	const char *params[] = {int_text(arena, made_id)};
	return run(conn, arena, "UPDATE pgmend.made SET state = 'dropped' WHERE id = $1::bigint", 1, params,
		   err);
}

static bool read_made(struct pgm_conn *conn, struct pgm_arena *arena, const char *const *params,
		      struct pgm_ledger_made **made, size_t *count, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("change/sql/ledger_made.sql"), 4, params, &rows,
			    err))
		return pgm_error_context(err, "reading the ledger");
	*made = PGM_NEW_ARRAY(arena, struct pgm_ledger_made, rows.count + 1);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		(*made)[i] = (struct pgm_ledger_made){
			.id = pgm_rows_int(&rows, i, 0),
			.schema = pgm_rows_text(&rows, i, 1),
			.index = pgm_rows_text(&rows, i, 2),
			.relation_oid = pgm_rows_text(&rows, i, 3),
			.index_oid = pgm_rows_text(&rows, i, 4),
			.state = pgm_rows_text(&rows, i, 5),
		};
	return true;
}

bool pgm_ledger_made_by_step(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, int step,
			     struct pgm_ledger_made **made, size_t *count, struct pgm_error *err)
{
	const char *params[] = {int_text(arena, seq), int_text(arena, step), NULL, NULL};
	return read_made(conn, arena, params, made, count, err);
}

bool pgm_ledger_made_by_name(struct pgm_conn *conn, struct pgm_arena *arena, const char *schema,
			     const char *index, struct pgm_ledger_made **made, size_t *count,
			     struct pgm_error *err)
{
	const char *params[] = {NULL, NULL, schema, index};
	return read_made(conn, arena, params, made, count, err);
}

bool pgm_ledger_close(struct pgm_conn *conn, struct pgm_arena *arena, const char *id, bool failed,
		      struct pgm_error *err)
{
	const char *params[] = {id, failed ? "t" : "f"};
	return run(conn, arena,
		   "UPDATE pgmend.plan SET state = 'undone', error = coalesce(error, 'what it did was gone "
		   "when it was "
		   "needed again') WHERE id = $1 AND (state = 'done' OR ($2::boolean AND state IN ('failed', "
		   "'canceled')))",
		   2, params, err);
}
