/* Statements over a range, added up from the rows of its intervals. */
#include "serve/history/parts.h"
#include "util/utf8.h"
#include "util/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT	    50
#define MINUTES_UNTIL_MS    (6 * PGM_HISTORY_HOUR_MS) /* longer ranges are read from hours */
#define STATEMENTS_READ_MAX ((int64_t)4 << 20)
#define SUMS_MAX	    50000 /* statements of one answer; the rest is one row */

struct sum {
	struct pgm_statement_cell cell;
	struct {
		uint64_t calls, us;
	} parts[PGM_HISTORY_SPARKS];
};

struct adding {
	struct pgm_db *db;
	struct pgm_arena *arena;
	const struct pgm_history_statements *wanted;
	int64_t stream, step_ms, from_ms, to_ms; /* of whole intervals */
	enum pgm_history_source source;
	struct sum **sums; /* by place; 0: all others */
	size_t sum_count, sums_made;
	int64_t numbers_from; /* the number before that of place 1 */
	struct pgm_error *err;
	/* of one statement: its numbers, and its points */
	const uint32_t *numbers;
	size_t number_count;
	int64_t at_ms, point_ms;
	struct pgm_statement_cell point;
	PGM_VEC(struct pgm_history_statement_point) points;
};

static double ms_of(uint64_t us)
{
	return (double)us / 1e3;
}

static size_t place_of(const struct adding *adding, uint32_t number)
{
	int64_t place = (int64_t)number - adding->numbers_from;
	return place > 0 && place < (int64_t)adding->sum_count ? (size_t)place : 0;
}

static void add_sum(void *data, const struct pgm_statement_cell *cell)
{
	struct adding *adding = data;
	size_t place = place_of(adding, cell->statement);
	if (place && !adding->sums[place] && adding->sums_made >= SUMS_MAX)
		place = 0;
	struct sum **sum = &adding->sums[place];
	if (!*sum) {
		*sum = PGM_NEW(adding->arena, struct sum);
		(*sum)->cell.statement = place ? cell->statement : 0;
		adding->sums_made++;
	}
	pgm_statement_cell_merge(adding->arena, &(*sum)->cell, cell);
	int64_t part =
		(adding->at_ms - adding->from_ms) * PGM_HISTORY_SPARKS / (adding->to_ms - adding->from_ms);
	(*sum)->parts[part].calls += cell->calls;
	(*sum)->parts[part].us += cell->total_us;
}

static void end_point(struct adding *adding)
{
	const struct pgm_statement_cell *cell = &adding->point;
	if (!cell->calls && !cell->errors)
		return;
	struct pgm_history_statement_point *point = pgm_vec_add(adding->arena, &adding->points);
	*point = (struct pgm_history_statement_point){
		.at_ms = adding->point_ms,
		.calls = cell->calls,
		.total_ms = ms_of(cell->total_us),
		.mean_ms = cell->calls ? ms_of(cell->total_us) / (double)cell->calls : 0,
		.percentiles = cell->histogram != NULL,
	};
	if (cell->histogram) {
		point->p50_ms = ms_of(pgm_histogram_percentile_us(cell->histogram, 50));
		point->p95_ms = ms_of(pgm_histogram_percentile_us(cell->histogram, 95));
		point->p99_ms = ms_of(pgm_histogram_percentile_us(cell->histogram, 99));
	}
	adding->point = (struct pgm_statement_cell){0};
}

static void add_point(void *data, const struct pgm_statement_cell *cell)
{
	struct adding *adding = data;
	bool ours = false;
	for (size_t i = 0; i < adding->number_count; i++)
		ours |= adding->numbers[i] == cell->statement;
	if (!ours)
		return;
	add_sum(data, cell);
	if (adding->point_ms != adding->at_ms) {
		end_point(adding);
		adding->point_ms = adding->at_ms;
	}
	pgm_statement_cell_merge(adding->arena, &adding->point, cell);
}

static bool read_rows(struct adding *adding, void (*visit)(void *, const struct pgm_statement_cell *))
{
	static const char minutes[] =
		"SELECT id, cells FROM statement_minutes WHERE id >= ?1 AND id < ?2 ORDER BY id";
	static const char hours[] =
		"SELECT id, cells FROM statement_hours WHERE id >= ?1 AND id < ?2 ORDER BY id";
	sqlite3_stmt *rows = pgm_db_prepare(
		adding->db, adding->step_ms == PGM_HISTORY_MINUTE_MS ? minutes : hours, adding->err);
	bool fine;
	if (!rows)
		return false;
	pgm_db_bind(rows, 2,
		    (const int64_t[]){PGM_HISTORY_KEY(adding->stream, adding->from_ms),
				      PGM_HISTORY_KEY(adding->stream, adding->to_ms)});
	while (pgm_db_next(adding->db, rows, &fine, adding->err)) {
		adding->at_ms = PGM_HISTORY_KEY_MS(sqlite3_column_int64(rows, 0));
		pgm_statement_cells_visit(sqlite3_column_blob(rows, 1), (size_t)sqlite3_column_bytes(rows, 1),
					  visit, adding);
	}
	return fine;
}

static bool first(struct adding *adding, const char *sql, int64_t from_ms, int64_t to_ms, int64_t *at_ms)
{
	return pgm_history_first(adding->db, sql, adding->stream, from_ms, to_ms, at_ms, adding->err);
}

/* Whether there is a row of that source in the range; then minutes or hours are chosen, too. */
static bool try_source(struct adding *adding, int64_t target, enum pgm_history_source source, bool *found)
{
	static const char minutes_first[] =
		"SELECT min(id) FROM statement_minutes WHERE id >= ?1 AND id < ?2";
	const struct pgm_history_statements *wanted = adding->wanted;
	adding->source = source;
	adding->stream = target * 2 + (source == PGM_HISTORY_POOL);
	int64_t first_minute, first_hour, seen;
	if (!first(adding, minutes_first, 0, PGM_HISTORY_END_MS, &first_minute) ||
	    !first(adding, "SELECT min(id) FROM statement_hours WHERE id >= ?1 AND id < ?2",
		   pgm_history_floor(wanted->from_ms, PGM_HISTORY_HOUR_MS), wanted->to_ms, &first_hour))
		return false;
	bool reach = first_minute && (first_minute <= wanted->from_ms || !first_hour ||
				      pgm_history_floor(first_minute, PGM_HISTORY_HOUR_MS) <= first_hour);
	bool minutes = reach && wanted->to_ms - wanted->from_ms <= MINUTES_UNTIL_MS;
	adding->step_ms = minutes ? PGM_HISTORY_MINUTE_MS : PGM_HISTORY_HOUR_MS;
	adding->from_ms = pgm_history_floor(wanted->from_ms, adding->step_ms);
	adding->to_ms = wanted->to_ms;
	if (!minutes) {
		*found = first_hour != 0;
		return true;
	}
	if (!first(adding, minutes_first, adding->from_ms, adding->to_ms, &seen))
		return false;
	*found = seen != 0;
	return true;
}

static bool begin(struct adding *adding, bool *found)
{
	const struct pgm_history_statements *wanted = adding->wanted;
	int64_t target, most;
	*found = false;
	if (!pgm_history_range_ok(wanted->from_ms, wanted->to_ms, adding->err) ||
	    !pgm_history_target_number(adding->db, wanted->target, &target, adding->err) ||
	    !pgm_db_number(adding->db, "SELECT max(id) FROM statements", 0, NULL, &most, adding->err))
		return false;
	adding->numbers_from = most > STATEMENTS_READ_MAX ? most - STATEMENTS_READ_MAX : 0;
	adding->sum_count = (size_t)(most - adding->numbers_from) + 1;
	adding->sums = PGM_NEW_ARRAY(adding->arena, struct sum *, adding->sum_count);
	if (!target)
		return true;
	if (wanted->source != PGM_HISTORY_SERVER && !try_source(adding, target, PGM_HISTORY_POOL, found))
		return false;
	return *found || wanted->source == PGM_HISTORY_POOL ||
	       try_source(adding, target, PGM_HISTORY_SERVER, found);
}

static void describe(const struct pgm_statement_cell *cell, double total_ms,
		     struct pgm_history_statement *out)
{
	*out = (struct pgm_history_statement){
		.id = "",
		.query = "",
		.user = "",
		.others = cell->statement == 0,
		.calls = cell->calls,
		.errors = cell->errors,
		.rows = cell->rows,
		.total_ms = ms_of(cell->total_us),
		.mean_ms = cell->calls ? ms_of(cell->total_us) / (double)cell->calls : 0,
		.share = total_ms > 0 ? ms_of(cell->total_us) / total_ms : 0,
		.blocks_hit = (double)cell->blocks_hit,
		.blocks_read = (double)cell->blocks_read,
		.blocks_temp = (double)cell->blocks_temp,
		.bursts = cell->bursts,
		.percentiles = cell->histogram != NULL,
		.histogram = cell->histogram,
	};
	if (!cell->histogram)
		return;
	out->p50_ms = ms_of(pgm_histogram_percentile_us(cell->histogram, 50));
	out->p95_ms = ms_of(pgm_histogram_percentile_us(cell->histogram, 95));
	out->p99_ms = ms_of(pgm_histogram_percentile_us(cell->histogram, 99));
	out->max_ms = ms_of(cell->histogram->max_us);
}

static void describe_sum(const struct sum *sum, double total_ms, struct pgm_history_statement *out)
{
	describe(&sum->cell, total_ms, out);
	for (int i = 0; i < PGM_HISTORY_SPARKS; i++)
		out->spark_ms[i] =
			sum->parts[i].calls ? ms_of(sum->parts[i].us) / (double)sum->parts[i].calls : NAN;
}

struct ordered {
	double key;
	struct sum *sum;
};

static double order_key(enum pgm_history_order order, const struct pgm_statement_cell *cell)
{
	switch (order) {
	case PGM_HISTORY_BY_CALLS:
		return (double)cell->calls;
	case PGM_HISTORY_BY_MEAN:
		return cell->calls ? (double)cell->total_us / (double)cell->calls : 0;
	case PGM_HISTORY_BY_P95:
		return cell->histogram ? (double)pgm_histogram_percentile_us(cell->histogram, 95) : 0;
	case PGM_HISTORY_BY_P99:
		return cell->histogram ? (double)pgm_histogram_percentile_us(cell->histogram, 99) : 0;
	case PGM_HISTORY_BY_ROWS:
		return (double)cell->rows;
	case PGM_HISTORY_BY_READS:
		return (double)cell->blocks_read;
	case PGM_HISTORY_BY_ERRORS:
		return (double)cell->errors;
	case PGM_HISTORY_BY_TIME:
		break;
	}
	return (double)cell->total_us;
}

static int most_first(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;
	if (x->key != y->key)
		return (x->key < y->key) - (x->key > y->key);
	if (x->sum->cell.total_us != y->sum->cell.total_us)
		return (x->sum->cell.total_us < y->sum->cell.total_us) -
		       (x->sum->cell.total_us > y->sum->cell.total_us);
	return (x->sum->cell.statement > y->sum->cell.statement) -
	       (x->sum->cell.statement < y->sum->cell.statement);
}

/* Texts are kept as they came, which may be any bytes, and long ones are cut anywhere. */
static const char *sound_text(sqlite3_stmt *row, int column, struct pgm_arena *arena)
{
	char *text = pgm_db_text(row, column, arena);
	pgm_utf8_mend(text);
	return text;
}

static bool add_names(struct adding *adding, uint32_t number, struct pgm_history_statement *out)
{
	sqlite3_stmt *select = pgm_db_prepare(
		adding->db, "SELECT fingerprint, user, query FROM statements WHERE id = ?1", adding->err);
	bool row;
	if (!select)
		return false;
	sqlite3_bind_int64(select, 1, number);
	if (!pgm_db_step(adding->db, select, &row, adding->err))
		return false;
	if (!row)
		return true;
	out->id = pgm_sprintf(adding->arena, "%lld", (long long)sqlite3_column_int64(select, 0));
	out->user = sound_text(select, 1, adding->arena);
	out->query = sound_text(select, 2, adding->arena);
	sqlite3_reset(select);
	return true;
}

/* Statements whose texts had to go are of the others. */
static bool fold_unknown(struct adding *adding)
{
	for (size_t i = 1; i < adding->sum_count; i++) {
		struct sum *sum = adding->sums[i], *others = adding->sums[0];
		int64_t known;
		if (!sum)
			continue;
		if (!pgm_db_number(adding->db, "SELECT id FROM statements WHERE id = ?1", 1,
				   (const int64_t[]){sum->cell.statement}, &known, adding->err))
			return false;
		if (known)
			continue;
		adding->sums[i] = NULL;
		adding->sums[0] = others ? others : sum;
		sum->cell.statement = 0;
		if (!others)
			continue;
		pgm_statement_cell_merge(adding->arena, &others->cell, &sum->cell);
		for (int part = 0; part < PGM_HISTORY_SPARKS; part++) {
			others->parts[part].calls += sum->parts[part].calls;
			others->parts[part].us += sum->parts[part].us;
		}
	}
	return true;
}

static bool make_list(struct adding *adding, struct pgm_history_statement_list *list)
{
	struct ordered *ordered = PGM_NEW_ARRAY(adding->arena, struct ordered, adding->sums_made + 1);
	size_t limit = adding->wanted->limit ? adding->wanted->limit : LIMIT_DEFAULT;
	for (size_t i = 0; i < adding->sum_count; i++) {
		struct sum *sum = adding->sums[i];
		if (!sum)
			continue;
		ordered[list->all++] = (struct ordered){order_key(adding->wanted->order, &sum->cell), sum};
		list->calls += sum->cell.calls;
		list->total_ms += ms_of(sum->cell.total_us);
	}
	if (list->all)
		qsort(ordered, list->all, sizeof(*ordered), most_first);
	list->count = list->all < limit ? list->all : limit;
	list->items = PGM_NEW_ARRAY(adding->arena, struct pgm_history_statement, list->count + 1);
	for (size_t i = 0; i < list->count; i++) {
		describe_sum(ordered[i].sum, list->total_ms, &list->items[i]);
		if (!add_names(adding, ordered[i].sum->cell.statement, &list->items[i]))
			return false;
	}
	list->source = adding->source;
	list->step_ms = adding->step_ms;
	return true;
}

bool pgm_history_statements(struct pgm_history *history, const struct pgm_history_statements *wanted,
			    struct pgm_arena *arena, struct pgm_history_statement_list *list,
			    struct pgm_error *err)
{
	bool found;
	*list = (struct pgm_history_statement_list){0};
	struct adding adding = {
		.db = pgm_history_reader(history, err), .arena = arena, .wanted = wanted, .err = err};
	if (!adding.db)
		return false;
	bool fine = begin(&adding, &found) && (!found || read_rows(&adding, add_sum)) &&
		    fold_unknown(&adding) && make_list(&adding, list);
	pgm_history_reader_done(history, adding.db);
	return fine;
}

/* The numbers that a fingerprint has: one for each user. */
static bool find_numbers(struct adding *adding, const char *id)
{
	PGM_VEC(uint32_t) numbers = {0};
	char *end;
	long long fingerprint = strtoll(id, &end, 10);
	if (end == id || *end) {
		pgm_error_set(adding->err, PGM_ERR_USAGE, "\"%s\" is no statement's id", id);
		return pgm_error_hint(adding->err, "Ids are numbers, as the list of statements has them.");
	}
	sqlite3_stmt *rows = pgm_db_prepare(
		adding->db,
		"SELECT id FROM statements WHERE target = ?1 AND source = ?2 AND fingerprint = ?3",
		adding->err);
	bool fine;
	if (!rows)
		return false;
	pgm_db_bind(rows, 3, (const int64_t[]){adding->stream / 2, adding->stream % 2, fingerprint});
	while (pgm_db_next(adding->db, rows, &fine, adding->err))
		*pgm_vec_add(adding->arena, &numbers) = (uint32_t)sqlite3_column_int64(rows, 0);
	adding->numbers = numbers.items;
	adding->number_count = numbers.count;
	return fine;
}

/* All users' together. */
static bool make_one(struct adding *adding, struct pgm_history_statement **statement)
{
	struct pgm_statement_cell all = {0};
	for (size_t i = 0; i < adding->number_count; i++) {
		uint32_t number = adding->numbers[i];
		size_t place = place_of(adding, number);
		if (!place || !adding->sums[place])
			continue;
		pgm_statement_cell_merge(adding->arena, &all, &adding->sums[place]->cell);
		all.statement = number;
	}
	if (!all.statement)
		return true;
	*statement = PGM_NEW(adding->arena, struct pgm_history_statement);
	describe(&all, 0, *statement);
	if (!add_names(adding, all.statement, *statement))
		return false;
	if (adding->number_count > 1)
		(*statement)->user = "";
	return true;
}

bool pgm_history_statement(struct pgm_history *history, const struct pgm_history_statements *wanted,
			   const char *id, struct pgm_arena *arena, struct pgm_history_statement **statement,
			   struct pgm_history_statement_point **points, size_t *point_count,
			   struct pgm_error *err)
{
	bool found;
	*statement = NULL;
	*points = NULL;
	*point_count = 0;
	struct adding adding = {.db = pgm_history_reader(history, err),
				.arena = arena,
				.wanted = wanted,
				.err = err,
				.point_ms = -1};
	if (!adding.db)
		return false;
	bool fine = begin(&adding, &found) && find_numbers(&adding, id) &&
		    (!found || read_rows(&adding, add_point)) && make_one(&adding, statement);
	pgm_history_reader_done(history, adding.db);
	end_point(&adding);
	*points = adding.points.items;
	*point_count = adding.points.count;
	return fine;
}
