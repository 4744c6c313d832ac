#include "change/verify/write_runs.h"

#include "pg/explain.h"
#include "util/buf.h"
#include "util/clock.h"

/* A column's values count as varying where at least this many rows of the first half would change. */
#define ROWS_CHANGED_MIN 50

static bool count_changes(struct pgm_copies *copies, struct pgm_error *err)
{
	struct pgm_arena *arena = copies->arena;
	struct pgm_buf sql;
	pgm_buf_init(&sql, arena);
	pgm_buf_add(&sql, "SELECT 0");
	for (size_t i = 0; i < copies->column_count; i++) {
		const char *name = copies->columns[i].quoted;
		pgm_buf_printf(&sql,
			       ", pg_catalog.count(*) FILTER (WHERE a.%s::pg_catalog.text IS DISTINCT FROM "
			       "b.%s::pg_catalog.text)",
			       name, name);
	}
	pgm_buf_printf(&sql,
		       " FROM pg_temp.pgmend_sample AS a JOIN pg_temp.pgmend_sample AS b "
		       "ON b.%s = a.%s + %ld WHERE a.%s <= %ld",
		       copies->row_column, copies->row_column, copies->half, copies->row_column,
		       copies->half);
	struct pgm_rows rows;
	if (!pgm_conn_query(copies->conn, arena, sql.text, 0, NULL, &rows, err))
		return false;
	for (size_t i = 0; i < copies->column_count; i++)
		copies->columns[i].changed = pgm_rows_double(&rows, 0, i + 1);
	return true;
}

/* The column that varies most; among equals one of fixed size, which says least about anything else. */
static const struct pgm_copy_column *choose_other(const struct pgm_copies *copies)
{
	const struct pgm_copy_column *best = NULL;
	for (size_t i = 0; i < copies->column_count; i++) {
		const struct pgm_copy_column *column = &copies->columns[i];
		if (column->indexed || column->generated || column->changed < ROWS_CHANGED_MIN)
			continue;
		if (!best || column->changed > best->changed ||
		    (column->changed == best->changed && column->fixed_size && !best->fixed_size))
			best = column;
	}
	return best;
}

struct assignment {
	struct pgm_buf set;	/* "a = s.a, b = s.b" */
	struct pgm_buf names;	/* "a, b" */
	struct pgm_buf differs; /* "a.x::text IS DISTINCT FROM ... OR ..." */
};

static void assign(struct assignment *to, const char *quoted)
{
	const char *comma = to->set.length ? ", " : "";
	pgm_buf_printf(&to->set, "%s%s = s.%s", comma, quoted, quoted);
	pgm_buf_printf(&to->names, "%s%s", comma, quoted);
	pgm_buf_printf(&to->differs, "%sa.%s::pg_catalog.text IS DISTINCT FROM s.%s::pg_catalog.text",
		       to->differs.length ? " OR " : "", quoted, quoted);
}

static void assignment_init(struct assignment *assignment, struct pgm_arena *arena)
{
	pgm_buf_init(&assignment->set, arena);
	pgm_buf_init(&assignment->names, arena);
	pgm_buf_init(&assignment->differs, arena);
}

/* Mark the rows of the second half whose values their partners are to take: an UPDATE that changes none of
 * a row's indexed values would be HOT whatever the indexes are. */
static bool mark_rows(struct pgm_copies *copies, const char *flag, const struct assignment *assignment,
		      struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *sql =
		pgm_sprintf(copies->arena,
			    "UPDATE pg_temp.pgmend_sample AS s SET %s = %s FROM pg_temp.pgmend_sample AS a "
			    "WHERE s.%s = a.%s + %ld AND a.%s <= %ld",
			    flag, assignment->differs.text, copies->row_column, copies->row_column,
			    copies->half, copies->row_column, copies->half);
	return pgm_conn_query(copies->conn, copies->arena, sql, 0, NULL, &rows, err);
}

struct runs {
	struct pgm_copies *copies;
	const char *sql[PGM_WRITE_KINDS][PGM_COPIES]; /* NULL: not this kind */
	double us[PGM_WRITE_KINDS][PGM_COPIES][PGM_WRITES_RUNS];
	double hot[PGM_WRITE_KINDS][PGM_COPIES][PGM_WRITES_RUNS];
	size_t count[PGM_WRITE_KINDS][PGM_COPIES];
};

static const char *update_sql(const struct pgm_copies *copies, enum pgm_copy copy, const char *flag,
			      const struct assignment *assignment)
{
	return pgm_sprintf(copies->arena,
			   "UPDATE %s AS c SET %s FROM pg_temp.pgmend_sample AS s "
			   "WHERE s.%s = c.%s + %ld AND s.%s",
			   pgm_copy_name(copy), assignment->set.text, copies->row_column, copies->row_column,
			   copies->half, flag);
}

static const char *insert_sql(const struct pgm_copies *copies, enum pgm_copy copy, const char *half)
{
	return pgm_sprintf(copies->arena,
			   "INSERT INTO %s (%s, %s) SELECT %s, %s FROM pg_temp.pgmend_sample WHERE %s %s %ld",
			   pgm_copy_name(copy), copies->column_list, copies->row_column, copies->column_list,
			   copies->row_column, copies->row_column, half, copies->half);
}

static bool prepare_updates(struct runs *runs, struct pgm_writes *writes, struct pgm_error *err)
{
	struct pgm_copies *copies = runs->copies;
	struct assignment covered, other;
	assignment_init(&covered, copies->arena);
	assignment_init(&other, copies->arena);
	for (size_t i = 0; i < copies->column_count; i++) {
		const struct pgm_copy_column *column = &copies->columns[i];
		if (column->covered && !column->generated && column->changed >= ROWS_CHANGED_MIN)
			assign(&covered, column->quoted);
	}
	const struct pgm_copy_column *column = choose_other(copies);
	if (column)
		assign(&other, column->quoted);
	writes->covered_columns = covered.names.text;
	writes->other_column = other.names.text;
	writes->notes[PGM_WRITE_UPDATE_COVERED] =
		covered.set.length ? "" : "the columns of the Plan's indexes hardly vary in the sample";
	writes->notes[PGM_WRITE_UPDATE_OTHER] = column ? "" : "no column without an index varies";
	if ((covered.set.length && !mark_rows(copies, copies->covered_flag, &covered, err)) ||
	    (column && !mark_rows(copies, copies->other_flag, &other, err)))
		return false;
	for (enum pgm_copy copy = 0; copy < PGM_COPIES; copy++) {
		runs->sql[PGM_WRITE_INSERT][copy] = insert_sql(copies, copy, ">");
		if (covered.set.length)
			runs->sql[PGM_WRITE_UPDATE_COVERED][copy] =
				update_sql(copies, copy, copies->covered_flag, &covered);
		if (column)
			runs->sql[PGM_WRITE_UPDATE_OTHER][copy] =
				update_sql(copies, copy, copies->other_flag, &other);
	}
	return true;
}

static bool hot_updates(struct runs *runs, enum pgm_copy copy, double *count, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(runs->copies->conn, runs->copies->arena,
			    "SELECT pg_catalog.pg_stat_get_xact_tuples_hot_updated($1::pg_catalog.oid)", 1,
			    &runs->copies->oids[copy], &rows, err))
		return false;
	*count = pgm_rows_double(&rows, 0, 0);
	return true;
}

/* Empty the copy, load the first half of the sample, then time the statement. */
static bool run_once(struct runs *runs, enum pgm_write_kind kind, enum pgm_copy copy, bool warm_up,
		     struct pgm_error *err)
{
	struct pgm_copies *copies = runs->copies;
	struct pgm_rows rows;
	struct pgm_explain plan;
	double hot_before, hot_after;
	const char *truncate = pgm_sprintf(copies->arena, "TRUNCATE %s", pgm_copy_name(copy));
	if (!pgm_conn_exec(copies->conn, truncate, err) ||
	    !pgm_conn_query(copies->conn, copies->arena, insert_sql(copies, copy, "<="), 0, NULL, &rows,
			    err) ||
	    !hot_updates(runs, copy, &hot_before, err) ||
	    !pgm_explain_run(copies->conn, copies->arena, "ANALYZE, TIMING OFF", runs->sql[kind][copy], &plan,
			     err) ||
	    !hot_updates(runs, copy, &hot_after, err))
		return false;
	double written = plan.root->child_count ? plan.root->children[0]->actual_rows : 0;
	if (warm_up || written < 1)
		return true;
	size_t n = runs->count[kind][copy]++;
	runs->us[kind][copy][n] = plan.execution_ms * 1000 / written;
	runs->hot[kind][copy][n] = (hot_after - hot_before) / written;
	return true;
}

/* Before and after take turns at going first, so that neither always finds the caches warm. */
static bool run_all(struct runs *runs, double deadline_ms, struct pgm_error *err)
{
	for (int i = -1; i < PGM_WRITES_RUNS; i++) {
		if (i > 0 && pgm_clock_ms() > deadline_ms)
			break;
		for (enum pgm_write_kind kind = 0; kind < PGM_WRITE_KINDS; kind++) {
			enum pgm_copy first = i % 2 == 0 ? PGM_COPY_BEFORE : PGM_COPY_AFTER;
			for (int turn = 0; turn < PGM_COPIES && runs->sql[kind][0]; turn++)
				if (!run_once(runs, kind, turn ? PGM_COPIES - 1 - first : first, i < 0, err))
					return false;
		}
	}
	return true;
}

static struct pgm_write_cost cost_of(struct runs *runs, enum pgm_write_kind kind, enum pgm_copy copy)
{
	size_t count = runs->count[kind][copy];
	return (struct pgm_write_cost){
		.us_per_row = pgm_spread_of(runs->us[kind][copy], count),
		.hot_share = pgm_median(runs->hot[kind][copy], count),
	};
}

bool pgm_write_runs(struct pgm_copies *copies, double deadline_ms, struct pgm_writes *writes,
		    struct pgm_error *err)
{
	struct runs *runs = PGM_NEW(copies->arena, struct runs);
	runs->copies = copies;
	/* The joins of our UPDATEs shall be the same on both sides. */
	if (!pgm_conn_exec(copies->conn, "SET LOCAL enable_nestloop = off; SET LOCAL jit = off", err) ||
	    !count_changes(copies, err) || !prepare_updates(runs, writes, err) ||
	    !run_all(runs, deadline_ms, err))
		return false;
	writes->rows = (double)copies->half;
	writes->indexes_before = copies->index_count[PGM_COPY_BEFORE];
	writes->indexes_after = copies->index_count[PGM_COPY_AFTER];
	for (enum pgm_write_kind kind = 0; kind < PGM_WRITE_KINDS; kind++) {
		writes->before[kind] = cost_of(runs, kind, PGM_COPY_BEFORE);
		writes->after[kind] = cost_of(runs, kind, PGM_COPY_AFTER);
	}
	return true;
}
