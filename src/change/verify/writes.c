#include "change/verify/writes.h"

#include "change/verify/write_runs.h"
#include "util/clock.h"
#include "util/embedded.h"
#include "util/interrupt.h"
#include "util/vec.h"

#include <math.h>
#include <string.h>

#define SAMPLE_BYTES_MAX (32 << 20)

const char *pgm_write_kind_name(enum pgm_write_kind kind)
{
	static const char *const names[] = {
		[PGM_WRITE_INSERT] = "insert",
		[PGM_WRITE_UPDATE_COVERED] = "update_covered",
		[PGM_WRITE_UPDATE_OTHER] = "update_other",
	};
	return names[kind];
}

struct table {
	const char *oid;
	bool partitioned;
	double rows;
	long sample_rows;
};

/* Why a table's writes are not measured, or "" and the table. */
static bool look_at_table(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_writes *writes,
			  long sample_rows, struct table *table, const char **reason, struct pgm_error *err)
{
	const char *params[] = {writes->schema, writes->relation};
	struct pgm_rows rows;
	*reason = "";
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("change/verify/table.sql"), 2, params, &rows, err))
		return false;
	if (rows.count == 0) {
		*reason = "the table does not exist";
		return true;
	}
	char kind = *pgm_rows_text(&rows, 0, 1);
	table->oid = pgm_rows_text(&rows, 0, 0);
	table->partitioned = kind == 'p';
	table->rows = pgm_rows_double(&rows, 0, 5);
	/* Wide rows: no more of them than fit into the memory of temporary tables. */
	double width = table->rows > 0 ? pgm_rows_double(&rows, 0, 6) / table->rows : 0;
	table->sample_rows =
		width > 0 ? (long)fmin((double)sample_rows, SAMPLE_BYTES_MAX / width) : sample_rows;
	if (kind != 'r' && kind != 'p')
		*reason = kind == 'm' ? "a materialized view is not written row by row" : "it is no table";
	else if (pgm_rows_bool(&rows, 0, 2))
		*reason = "row-level security decides which rows this role reads";
	else if (pgm_rows_get(&rows, 0, 3))
		*reason = pgm_sprintf(arena, "event triggers would see the temporary tables: %s",
				      pgm_rows_text(&rows, 0, 3));
	else if (!pgm_rows_bool(&rows, 0, 4))
		*reason = "this role may not create temporary tables in this database";
	return true;
}

static bool measure_in(struct pgm_copies *copies, const struct table *table, double deadline_ms,
		       struct pgm_writes *writes, struct pgm_error *err)
{
	if (!pgm_copies_sample(copies, table->partitioned, table->rows, table->sample_rows, err))
		return false;
	if (copies->half * 2 < PGM_WRITES_ROWS_MIN) {
		writes->reason =
			pgm_sprintf(copies->arena, "too few rows for a sample (%ld)", copies->half * 2);
		return true;
	}
	const char *begin =
		pgm_sprintf(copies->arena, PGM_CONN_MARKER "BEGIN; SET LOCAL statement_timeout = %d",
			    PGM_WRITES_STATEMENT_MS);
	bool ok = pgm_conn_exec(copies->conn, begin, err) && pgm_copies_create(copies, err) &&
		  pgm_write_runs(copies, deadline_ms, writes, err);
	pgm_conn_exec_quietly(copies->conn, "ROLLBACK; DROP TABLE pg_temp.pgmend_sample");
	return ok;
}

/* A session of its own: that it ends takes everything with it, whatever happened. */
static bool measure_table(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
			  const struct table *table, double deadline_ms, struct pgm_writes *writes,
			  struct pgm_error *err)
{
	struct pgm_error failed = {0};
	PGM_AUTO_CONN own = pgm_conn_clone(conn, &failed);
	if (own)
		pgm_conn_cancel_on_interrupt(own);
	struct pgm_copies copies = {.conn = own,
				    .arena = arena,
				    .plan = plan,
				    .schema = writes->schema,
				    .relation = writes->relation,
				    .table_oid = table->oid};
	if (own && measure_in(&copies, table, deadline_ms, writes, &failed))
		return true;
	if (pgm_interrupted()) {
		*err = failed;
		return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	}
	writes->reason = pgm_strdup(arena, failed.message);
	return true;
}

static void add_table(struct pgm_arena *arena, const struct pgm_change *change, struct pgm_writes **items,
		      size_t *count, size_t *capacity)
{
	if (change->kind == PGM_CHANGE_SQL || !change->index || !change->relation || !*change->relation)
		return;
	for (size_t i = 0; i < *count; i++)
		if (strcmp((*items)[i].schema, change->schema) == 0 &&
		    strcmp((*items)[i].relation, change->relation) == 0)
			return;
	struct {
		struct pgm_writes *items;
		size_t count, capacity;
	} list = {*items, *count, *capacity};
	*pgm_vec_add(arena, &list) = (struct pgm_writes){.schema = change->schema,
							 .relation = change->relation,
							 .reason = "",
							 .covered_columns = "",
							 .other_column = "",
							 .notes = {"", "", ""}};
	*items = list.items;
	*count = list.count;
	*capacity = list.capacity;
}

bool pgm_writes_measure(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
			const struct pgm_verify_options *options, struct pgm_measures *measures,
			struct pgm_error *err)
{
	size_t capacity = 0;
	measures->writes = NULL;
	measures->write_count = 0;
	for (size_t i = 0; i < plan->change_count && options->sample_rows > 0; i++)
		add_table(arena, &plan->changes[i], &measures->writes, &measures->write_count, &capacity);

	double deadline_ms = pgm_clock_ms() + options->budget_ms;
	for (size_t i = 0; i < measures->write_count; i++) {
		struct pgm_writes *writes = &measures->writes[i];
		struct table table;
		double left_ms = deadline_ms - pgm_clock_ms();
		double share_ms = left_ms / (double)(measures->write_count - i);
		if (options->progress)
			options->progress(options->progress_arg,
					  pgm_sprintf(arena, "writes to %s", writes->relation),
					  (double)i / (double)measures->write_count);
		if (pgm_conn_is_standby(conn)) {
			writes->reason = "the server is a standby";
			continue;
		}
		if (!look_at_table(conn, arena, writes, options->sample_rows, &table, &writes->reason, err))
			return false;
		if (!*writes->reason &&
		    !measure_table(conn, arena, plan, &table, pgm_clock_ms() + share_ms, writes, err))
			return false;
	}
	return true;
}
