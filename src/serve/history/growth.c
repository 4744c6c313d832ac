#include "serve/history/growth.h"

#include "serve/history/parts.h"
#include "util/vec.h"

#include <math.h>
#include <stdlib.h>

#define DAYS_MAX	400
#define DAYS_READ	90
#define SERIES_READ_MAX 1000

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double at_rank(const double *sorted, size_t count, double rank)
{
	if (rank < 0)
		rank = 0;
	if (rank > (double)count - 1)
		rank = (double)count - 1;
	size_t below = (size_t)rank;
	double part = rank - (double)below;
	return below + 1 < count ? sorted[below] + (sorted[below + 1] - sorted[below]) * part : sorted[below];
}

void pgm_growth_of(const struct pgm_growth_day *days, size_t count, struct pgm_growth *growth)
{
	*growth = (struct pgm_growth){.why = "not enough history", .days = count};
	if (count > DAYS_MAX) {
		days += count - DAYS_MAX;
		growth->days = count = DAYS_MAX;
	}
	if (count)
		growth->now = days[count - 1].value;
	if (count < PGM_GROWTH_DAYS_MIN)
		return;
	size_t pairs = 0;
	double *slopes = malloc(count * (count - 1) / 2 * sizeof(*slopes));
	if (!slopes)
		return;
	for (size_t i = 0; i < count; i++)
		for (size_t j = i + 1; j < count; j++)
			if (days[j].day > days[i].day)
				slopes[pairs++] =
					(days[j].value - days[i].value) / (double)(days[j].day - days[i].day);
	if (pairs) {
		qsort(slopes, pairs, sizeof(*slopes), by_value);
		/* Sen: the ranks at 1.96 standard deviations of Kendall's S around the median */
		double n = (double)count, spread = 1.96 * sqrt(n * (n - 1) * (2 * n + 5) / 18);
		growth->slope_per_day = at_rank(slopes, pairs, ((double)pairs - 1) / 2);
		growth->slope_low = at_rank(slopes, pairs, ((double)pairs - spread) / 2 - 1);
		growth->slope_high = at_rank(slopes, pairs, ((double)pairs + spread) / 2);
		growth->known = true;
		growth->why = "";
	}
	free(slopes);
}

double pgm_growth_days_to(double now, double slope_per_day, double limit)
{
	if (now >= limit)
		return 0;
	return slope_per_day > 0 ? (limit - now) / slope_per_day : -1;
}

/* The last value of each day. */
static bool read_days(struct pgm_db *db, int64_t series, int64_t from_ms, struct pgm_growth_day *days,
		      size_t *count, struct pgm_error *err)
{
	sqlite3_stmt *rows =
		pgm_db_prepare(db,
			       "SELECT at_ms / 86400000, last, max(at_ms) FROM hours WHERE series = ?1"
			       " AND at_ms >= ?2 AND last IS NOT NULL GROUP BY 1 ORDER BY 1",
			       err);
	bool fine;
	*count = 0;
	if (!rows)
		return false;
	pgm_db_bind(rows, 2, (const int64_t[]){series, from_ms});
	while (*count < DAYS_MAX && pgm_db_next(db, rows, &fine, err))
		days[(*count)++] = (struct pgm_growth_day){sqlite3_column_int64(rows, 0),
							   sqlite3_column_double(rows, 1)};
	sqlite3_reset(rows);
	return fine;
}

static double value_days_ago(const struct pgm_growth_day *days, size_t count, int64_t ago)
{
	for (size_t i = 0; i < count; i++)
		if (days[i].day == days[count - 1].day - ago)
			return days[i].value;
	return NAN;
}

static int most_growth_first(const void *a, const void *b)
{
	const struct pgm_growth_item *x = a, *y = b;
	double left = x->growth.slope_per_day, right = y->growth.slope_per_day;
	if (left != right)
		return (left < right) - (left > right);
	return (x->growth.now < y->growth.now) - (x->growth.now > y->growth.now);
}

static bool read_all(struct pgm_db *db, int64_t target, const char *metric, struct pgm_arena *arena,
		     struct pgm_growth_item **items, size_t *count, struct pgm_error *err)
{
	PGM_VEC(struct pgm_growth_item) all = {0};
	PGM_VEC(int64_t) ids = {0};
	struct pgm_growth_day days[DAYS_MAX];
	int64_t newest;
	sqlite3_stmt *rows = pgm_db_prepare(
		db, "SELECT id, labels FROM series WHERE target = ?1 AND metric = ?2 LIMIT ?3", err);
	bool fine;
	if (!rows)
		return false;
	sqlite3_bind_int64(rows, 1, target);
	sqlite3_bind_text(rows, 2, metric, -1, SQLITE_STATIC);
	sqlite3_bind_int64(rows, 3, SERIES_READ_MAX);
	while (pgm_db_next(db, rows, &fine, err)) {
		*pgm_vec_add(arena, &ids) = sqlite3_column_int64(rows, 0);
		pgm_vec_add(arena, &all)->labels = pgm_db_text(rows, 1, arena);
	}
	if (!fine)
		return false;
	*count = 0;
	for (size_t i = 0; i < all.count; i++) {
		struct pgm_growth_item item = all.items[i];
		size_t day_count;
		if (!pgm_db_number(db, "SELECT max(at_ms) FROM hours WHERE series = ?1", 1, &ids.items[i],
				   &newest, err) ||
		    !read_days(db, ids.items[i], newest - DAYS_READ * PGM_HISTORY_DAY_MS, days, &day_count,
			       err))
			return false;
		if (!day_count)
			continue;
		pgm_growth_of(days, day_count, &item.growth);
		item.day_ago = value_days_ago(days, day_count, 1);
		item.week_ago = value_days_ago(days, day_count, 7);
		all.items[(*count)++] = item;
	}
	*items = all.items;
	return true;
}

bool pgm_history_growth(struct pgm_history *history, const char *target, const char *metric, size_t limit,
			struct pgm_arena *arena, struct pgm_growth_item **items, size_t *count,
			struct pgm_error *err)
{
	int64_t id;
	*items = NULL;
	*count = 0;
	struct pgm_db *db = pgm_history_reader(history, err);
	if (!db)
		return false;
	bool fine = pgm_history_target_number(db, target, &id, err) &&
		    (id == 0 || read_all(db, id, metric, arena, items, count, err));
	pgm_history_reader_done(history, db);
	if (fine && *count)
		qsort(*items, *count, sizeof(**items), most_growth_first);
	if (*count > limit)
		*count = limit;
	return fine;
}
