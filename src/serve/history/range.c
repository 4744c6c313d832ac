/* Metrics over a range: from the finest rows that reach back to its begin and are not finer than its steps.
 */
#include "serve/history/parts.h"
#include "util/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POINTS_ALL_MAX	200000 /* of all series together */
#define SERIES_READ_MAX 1000
#define SERIES_DEFAULT	50
#define POINTS_DEFAULT	300
#define ROW_ARENA_BYTES ((size_t)256 << 20)

struct wanted_series {
	uint32_t id;
	struct pgm_history_series out;
	struct pgm_cell cell; /* of the step under way */
	int64_t at_ms;	      /* its begin; -1: none */
	PGM_VEC(struct pgm_history_point) points;
};

struct reading {
	struct pgm_db *db;
	const struct pgm_history_range *range;
	struct pgm_arena *arena;
	int64_t target, step_ms;
	struct wanted_series *series; /* by id */
	size_t count;
	struct pgm_error *err;
};

static bool find_wanted(struct reading *reading)
{
	struct pgm_db *db = reading->db;
	sqlite3_stmt *rows =
		pgm_db_prepare(db,
			       "SELECT id, labels, rate FROM series WHERE target = ?1 AND metric = ?2 AND"
			       " (?3 IS NULL OR labels = ?3 OR instr(',' || labels || ',', ',' || ?3 || ','))"
			       " ORDER BY id LIMIT ?4",
			       reading->err);
	bool fine;
	if (!rows)
		return false;
	sqlite3_bind_int64(rows, 1, reading->target);
	sqlite3_bind_text(rows, 2, reading->range->metric, -1, SQLITE_STATIC);
	if (reading->range->labels)
		sqlite3_bind_text(rows, 3, reading->range->labels, -1, SQLITE_STATIC);
	sqlite3_bind_int64(rows, 4, SERIES_READ_MAX);
	reading->series = PGM_NEW_ARRAY(reading->arena, struct wanted_series, SERIES_READ_MAX);
	while (pgm_db_next(db, rows, &fine, reading->err)) {
		struct wanted_series *series = &reading->series[reading->count++];
		series->id = (uint32_t)sqlite3_column_int64(rows, 0);
		series->out.labels = pgm_db_text(rows, 1, reading->arena);
		series->out.rate = sqlite3_column_int64(rows, 2) != 0;
		series->at_ms = -1;
	}
	return fine;
}

static void end_step(struct reading *reading, struct wanted_series *series)
{
	if (series->at_ms < 0)
		return;
	const struct pgm_cell *cell = &series->cell;
	*pgm_vec_add(reading->arena, &series->points) = (struct pgm_history_point){
		.at_ms = series->at_ms,
		.count = cell->count,
		.reset = cell->reset,
		.min = cell->min,
		.avg = cell->count ? cell->sum / cell->count : 0,
		.max = cell->max,
		.last = cell->last,
	};
	series->at_ms = -1;
}

static void add_cell(struct reading *reading, struct wanted_series *series, int64_t at_ms,
		     const struct pgm_cell *cell)
{
	int64_t step = pgm_history_floor(at_ms, reading->step_ms);
	if (step != series->at_ms) {
		end_step(reading, series);
		series->at_ms = step;
		series->cell = *cell;
	} else {
		pgm_cell_merge(&series->cell, cell);
	}
}

/* A row's cells to the series that are wanted; both go by number. */
static void add_row(struct reading *reading, struct pgm_arena *scratch, int64_t at_ms, const void *bytes,
		    size_t length)
{
	struct pgm_cell cell;
	if (reading->count == 1) {
		if (pgm_cells_find(bytes, length, reading->series[0].id, &cell))
			add_cell(reading, &reading->series[0], at_ms, &cell);
		return;
	}
	struct pgm_cells cells = pgm_cells_unpack(scratch, bytes, length);
	size_t at = 0;
	for (size_t i = 0; i < reading->count; i++) {
		while (at < cells.count && cells.items[at].series < reading->series[i].id)
			at++;
		if (at < cells.count && cells.items[at].series == reading->series[i].id)
			add_cell(reading, &reading->series[i], at_ms, &cells.items[at]);
	}
	pgm_arena_reset(scratch);
}

static bool read_rows(struct reading *reading, const char *sql, int64_t from_ms, int64_t to_ms)
{
	sqlite3_stmt *rows = pgm_db_prepare(reading->db, sql, reading->err);
	bool fine;
	if (!rows)
		return false;
	PGM_AUTO_ARENA scratch = pgm_arena_new(ROW_ARENA_BYTES);
	pgm_db_bind(rows, 2,
		    (const int64_t[]){PGM_HISTORY_KEY(reading->target, from_ms),
				      PGM_HISTORY_KEY(reading->target, to_ms)});
	while (pgm_db_next(reading->db, rows, &fine, reading->err))
		add_row(reading, scratch, PGM_HISTORY_KEY_MS(sqlite3_column_int64(rows, 0)),
			sqlite3_column_blob(rows, 1), (size_t)sqlite3_column_bytes(rows, 1));
	return fine;
}

static bool read_hours(struct reading *reading, int64_t from_ms, int64_t to_ms)
{
	for (size_t i = 0; i < reading->count; i++) {
		sqlite3_stmt *rows =
			pgm_db_prepare(reading->db,
				       "SELECT at_ms, count, reset, least, sum, greatest, last FROM hours"
				       " WHERE series = ?1 AND at_ms >= ?2 AND at_ms < ?3 ORDER BY at_ms",
				       reading->err);
		bool fine;
		if (!rows)
			return false;
		pgm_db_bind(rows, 3, (const int64_t[]){reading->series[i].id, from_ms, to_ms});
		while (pgm_db_next(reading->db, rows, &fine, reading->err)) {
			struct pgm_cell cell = {
				.count = (uint32_t)sqlite3_column_int64(rows, 1),
				.reset = sqlite3_column_int64(rows, 2) != 0,
				.min = sqlite3_column_double(rows, 3),
				.sum = sqlite3_column_double(rows, 4),
				.max = sqlite3_column_double(rows, 5),
				.last = sqlite3_column_double(rows, 6),
			};
			add_cell(reading, &reading->series[i], sqlite3_column_int64(rows, 0), &cell);
		}
		if (!fine)
			return false;
	}
	return true;
}

static bool oldest(struct reading *reading, const char *sql, int64_t *oldest_ms)
{
	if (!pgm_history_first(reading->db, sql, reading->target, 0, PGM_HISTORY_END_MS, oldest_ms,
			       reading->err))
		return false;
	if (!*oldest_ms)
		*oldest_ms = INT64_MAX;
	return true;
}

static bool read_series(struct reading *reading)
{
	const struct pgm_history_range *range = reading->range;
	int64_t raw_ms, minute_ms, hour_ms = INT64_MAX, folded_ms;
	int64_t series = reading->count ? (int64_t)reading->count : 1;
	int64_t least = pgm_history_step(range->from_ms, range->to_ms, POINTS_ALL_MAX / series);
	if (reading->step_ms < least)
		reading->step_ms = least;
	if (!oldest(reading, "SELECT min(id) FROM raw WHERE id >= ?1 AND id < ?2", &raw_ms) ||
	    !oldest(reading, "SELECT min(id) FROM minutes WHERE id >= ?1 AND id < ?2", &minute_ms) ||
	    !pgm_db_number(reading->db, "SELECT folded_ms FROM targets WHERE id = ?1", 1, &reading->target,
			   &folded_ms, reading->err))
		return false;
	for (size_t i = 0; i < reading->count; i++) {
		int64_t first;
		const int64_t id = reading->series[i].id;
		if (!pgm_db_number(reading->db, "SELECT min(at_ms) FROM hours WHERE series = ?1", 1, &id,
				   &first, reading->err))
			return false;
		if (first && first < hour_ms)
			hour_ms = first;
	}
	/* finer rows will do where they reach back far enough, or as far as anything does */
	bool hours_reach = hour_ms < pgm_history_floor(minute_ms, PGM_HISTORY_HOUR_MS);
	bool minutes_do = minute_ms < range->to_ms && (minute_ms <= range->from_ms || !hours_reach) &&
			  reading->step_ms < PGM_HISTORY_HOUR_MS;
	bool raw_does =
		raw_ms != INT64_MAX && reading->step_ms < PGM_HISTORY_MINUTE_MS &&
		(raw_ms <= range->from_ms || pgm_history_floor(raw_ms, PGM_HISTORY_MINUTE_MS) <= minute_ms);
	if (raw_does)
		return read_rows(reading, "SELECT id, cells FROM raw WHERE id >= ?1 AND id < ?2 ORDER BY id",
				 range->from_ms, range->to_ms);
	static const char minutes_sql[] =
		"SELECT id, cells FROM minutes WHERE id >= ?1 AND id < ?2 ORDER BY id";
	if (minutes_do) {
		if (reading->step_ms < PGM_HISTORY_MINUTE_MS)
			reading->step_ms = PGM_HISTORY_MINUTE_MS;
		return read_rows(reading, minutes_sql,
				 pgm_history_floor(range->from_ms, PGM_HISTORY_MINUTE_MS), range->to_ms);
	}
	if (reading->step_ms < PGM_HISTORY_HOUR_MS)
		reading->step_ms = PGM_HISTORY_HOUR_MS;
	int64_t from_ms = pgm_history_floor(range->from_ms, PGM_HISTORY_HOUR_MS);
	return read_hours(reading, from_ms, range->to_ms) &&
	       (folded_ms >= range->to_ms ||
		read_rows(reading, minutes_sql, folded_ms > from_ms ? folded_ms : from_ms, range->to_ms));
}

static int greatest_first(const void *a, const void *b)
{
	const struct pgm_history_series *x = a, *y = b;
	double left = x->points[x->count - 1].last, right = y->points[y->count - 1].last;
	return left != right ? (left < right) - (left > right) : strcmp(x->labels, y->labels);
}

static void finish(struct reading *reading, struct pgm_history_answer *answer)
{
	size_t most = reading->range->series_max ? reading->range->series_max : SERIES_DEFAULT;
	answer->step_ms = reading->step_ms;
	answer->series = PGM_NEW_ARRAY(reading->arena, struct pgm_history_series, reading->count + 1);
	for (size_t i = 0; i < reading->count; i++) {
		struct wanted_series *series = &reading->series[i];
		end_step(reading, series);
		if (!series->points.count)
			continue;
		series->out.points = series->points.items;
		series->out.count = series->points.count;
		answer->series[answer->count++] = series->out;
	}
	if (answer->count)
		qsort(answer->series, answer->count, sizeof(*answer->series), greatest_first);
	answer->left_out = answer->count > most ? answer->count - most : 0;
	answer->count -= answer->left_out;
}

bool pgm_history_range(struct pgm_history *history, const struct pgm_history_range *range,
		       struct pgm_arena *arena, struct pgm_history_answer *answer, struct pgm_error *err)
{
	*answer = (struct pgm_history_answer){0};
	if (!pgm_history_range_ok(range->from_ms, range->to_ms, err))
		return false;
	int64_t least = pgm_history_step(range->from_ms, range->to_ms,
					 range->step_ms ? PGM_HISTORY_POINTS_MAX : POINTS_DEFAULT);
	struct reading reading = {
		.db = pgm_history_reader(history, err),
		.range = range,
		.arena = arena,
		.step_ms = range->step_ms > least ? range->step_ms : least,
		.err = err,
	};
	if (!reading.db)
		return false;
	bool fine = pgm_history_target_number(reading.db, range->target, &reading.target, err) &&
		    (reading.target == 0 ||
		     (find_wanted(&reading) && (reading.count == 0 || read_series(&reading))));
	pgm_history_reader_done(history, reading.db);
	if (fine)
		finish(&reading, answer);
	return fine;
}
