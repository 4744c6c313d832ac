/* A snapshot into rows: raw, and added to its minute. */
#include "serve/history/parts.h"
#include "util/vec.h"

#include <math.h>
#include <string.h>

#define LABELS_MAX_BYTES 2000
/* Backwards by less than this, time in the file goes on at half speed; by more, the clock was wrong before.
 */
#define SMALL_STEP_BACK_MS INT64_C(600000)

struct look {
	struct pgm_history_writer *writer;
	struct pgm_history_target *target;
	const struct pgm_snapshot *snapshot;
	int64_t at_ms;
	PGM_VEC(struct pgm_cell) cells;
	bool failed;
	struct pgm_error *err;
};

/* When this look was, so that rows of one target lie in their order. */
static int64_t order_time(struct pgm_history_target *target, const struct pgm_snapshot *snapshot)
{
	int64_t at = snapshot->wall_ms < 0 ? 0 : snapshot->wall_ms;
	if (target->last_ms && at <= target->last_ms && target->last_ms - at <= SMALL_STEP_BACK_MS) {
		double passed = target->last_mono_ms ? snapshot->mono_ms - target->last_mono_ms : 2;
		at = target->last_ms + (passed > 2 ? (int64_t)(passed / 2) : 1);
	}
	target->last_ms = at;
	target->last_mono_ms = snapshot->mono_ms;
	return at;
}

static void note_marks(struct pgm_history_target *target, unsigned marks)
{
	unsigned began = PGM_MARK_RESTART | PGM_MARK_UPGRADE | PGM_MARK_ROLE | PGM_MARK_RESET | PGM_MARK_POOL;
	if (marks & (began | PGM_MARK_FIRST | PGM_MARK_GAP))
		target->epoch++;
	if (marks & began)
		target->reset_epoch++;
	/* it may be another database under the name of one that went: its statements are not new */
	for (int source = 0; source < 2 && marks & PGM_MARK_FIRST; source++) {
		pgm_snapshot_release(target->base[source]);
		target->base[source] = NULL;
	}
}

static void add_cell(struct look *look, uint32_t series, double value)
{
	*pgm_vec_add(look->writer->scratch, &look->cells) = (struct pgm_cell){
		.series = series, .count = 1, .min = value, .sum = value, .max = value, .last = value};
}

static struct pgm_history_series_slot *find_series(struct look *look, const char *metric, const char *labels,
						   bool rate)
{
	struct pgm_history_series_slot *slot = NULL;
	if (!pgm_history_series_find(look->writer, look->target, metric, labels, rate, look->at_ms, &slot,
				     look->err))
		look->failed = true;
	return slot;
}

/* Whether the slot's previous value can be compared; a counter that began anew leaves a mark. */
static bool comparable(struct look *look, struct pgm_history_series_slot *slot, double value)
{
	bool same = slot->has_previous && slot->epoch == look->target->epoch;
	bool began = slot->has_previous &&
		     (slot->reset_epoch != look->target->reset_epoch || value < slot->previous);
	if (began)
		*pgm_vec_add(look->writer->scratch, &look->cells) =
			(struct pgm_cell){.series = slot->id, .reset = true};
	return same && !began && look->snapshot->mono_ms > slot->previous_mono_ms;
}

static void note_previous(struct look *look, struct pgm_history_series_slot *slot, double value)
{
	slot->has_previous = true;
	slot->epoch = look->target->epoch;
	slot->reset_epoch = look->target->reset_epoch;
	slot->previous = value;
	slot->previous_mono_ms = look->snapshot->mono_ms;
}

static void add_counter(struct look *look, struct pgm_history_series_slot *slot, double value)
{
	if (comparable(look, slot, value))
		add_cell(look, slot->id,
			 (value - slot->previous) / (look->snapshot->mono_ms - slot->previous_mono_ms) * 1e3);
	note_previous(look, slot, value);
}

/* In seconds, within the bucket by a straight line (as Prometheus' histogram_quantile does). */
static double bucket_quantile(const double counts[PGM_METRIC_BOUNDS + 1], double quantile)
{
	double wanted = quantile * counts[PGM_METRIC_BOUNDS];
	for (int i = 0; i < PGM_METRIC_BOUNDS; i++) {
		double before = i ? counts[i - 1] : 0, low = i ? pgm_metric_bounds[i - 1] : 0;
		if (counts[i] >= wanted && counts[i] > before)
			return low + (pgm_metric_bounds[i] - low) * (wanted - before) / (counts[i] - before);
	}
	return pgm_metric_bounds[PGM_METRIC_BOUNDS - 1];
}

/* Calls a second under its own labels, and percentiles of what came since the last look. */
static void add_histogram(struct look *look, struct pgm_history_series_slot *slot,
			  const struct pgm_sample *sample, const char *labels)
{
	static const char *const quantiles[] = {"0.5", "0.95", "0.99"};
	static const double shares[] = {0.5, 0.95, 0.99};
	const struct pgm_buckets *now = sample->buckets;
	double total = (double)now->counts[PGM_METRIC_BOUNDS];
	if (slot->buckets && comparable(look, slot, total)) {
		double counts[PGM_METRIC_BOUNDS + 1];
		for (int i = 0; i <= PGM_METRIC_BOUNDS; i++)
			counts[i] = (double)(now->counts[i] - slot->buckets->counts[i]);
		add_cell(look, slot->id,
			 (total - slot->previous) / (look->snapshot->mono_ms - slot->previous_mono_ms) * 1e3);
		for (int i = 0; i < 3 && counts[PGM_METRIC_BOUNDS] > 0; i++) {
			char *text = pgm_sprintf(look->writer->scratch, "%s%squantile=\"%s\"", labels,
						 *labels ? "," : "", quantiles[i]);
			struct pgm_history_series_slot *of =
				find_series(look, sample->metric->name, text, false);
			if (of)
				add_cell(look, of->id, bucket_quantile(counts, shares[i]));
		}
	}
	if (!slot->buckets)
		slot->buckets = PGM_NEW(look->writer->cache, struct pgm_buckets);
	*slot->buckets = *now;
	note_previous(look, slot, total);
}

static void add_sample(void *data, const struct pgm_sample *sample, int64_t wall_ms)
{
	(void)wall_ms;
	struct look *look = data;
	const struct pgm_metric *metric = sample->metric;
	bool kept = metric->flags & PGM_METRIC_HISTORY ||
		    (metric->kind == PGM_METRIC_HISTOGRAM && metric->flags & PGM_METRIC_DASHBOARD);
	if (look->failed || !kept || !isfinite(sample->value))
		return;
	char *labels = pgm_history_labels(look->writer->scratch, metric->labels, sample->labels);
	if (strlen(labels) > LABELS_MAX_BYTES) {
		look->writer->series_left_out++;
		return;
	}
	struct pgm_history_series_slot *slot =
		find_series(look, metric->name, labels, metric->kind != PGM_METRIC_GAUGE);
	if (!slot)
		return;
	if (metric->kind == PGM_METRIC_GAUGE)
		add_cell(look, slot->id, sample->value);
	else if (metric->kind == PGM_METRIC_COUNTER)
		add_counter(look, slot, sample->value);
	else if (sample->buckets)
		add_histogram(look, slot, sample, labels);
}

/* Two looks in one millisecond, or a clock that was put back: the next free place. */
static bool write_raw(struct look *look, const struct pgm_buf *packed)
{
	struct pgm_db *db = &look->writer->db;
	for (int64_t tries = 0; tries < 1000; tries++) {
		sqlite3_stmt *insert =
			pgm_db_prepare(db, "INSERT OR IGNORE INTO raw (id, cells) VALUES (?, ?)", look->err);
		if (!insert)
			return false;
		sqlite3_bind_int64(insert, 1, PGM_HISTORY_KEY(look->target->id, look->at_ms + tries));
		sqlite3_bind_blob64(insert, 2, packed->text, packed->length, SQLITE_STATIC);
		if (!pgm_db_run(db, insert, look->err))
			return false;
		if (sqlite3_changes(db->sqlite))
			return true;
	}
	return true;
}

static bool write_minute(struct look *look, const struct pgm_cells *cells)
{
	struct pgm_db *db = &look->writer->db;
	struct pgm_arena *arena = look->writer->scratch;
	int64_t key =
		PGM_HISTORY_KEY(look->target->id, pgm_history_floor(look->at_ms, PGM_HISTORY_MINUTE_MS));
	sqlite3_stmt *select = pgm_db_prepare(db, "SELECT cells FROM minutes WHERE id = ?", look->err);
	bool row;
	if (!select)
		return false;
	sqlite3_bind_int64(select, 1, key);
	if (!pgm_db_step(db, select, &row, look->err))
		return false;
	struct pgm_cells all = *cells;
	if (row) {
		struct pgm_cells there = pgm_cells_unpack(arena, sqlite3_column_blob(select, 0),
							  (size_t)sqlite3_column_bytes(select, 0));
		all = pgm_cells_merge(arena, &there, cells);
		sqlite3_reset(select);
	}
	struct pgm_buf packed;
	pgm_buf_init(&packed, arena);
	pgm_cells_pack(&all, &packed);
	sqlite3_stmt *replace =
		pgm_db_prepare(db, "INSERT OR REPLACE INTO minutes (id, cells) VALUES (?, ?)", look->err);
	if (!replace)
		return false;
	sqlite3_bind_int64(replace, 1, key);
	sqlite3_bind_blob64(replace, 2, packed.text, packed.length, SQLITE_STATIC);
	return pgm_db_run(db, replace, look->err);
}

bool pgm_history_write_hours(struct pgm_history_writer *writer, int64_t hour_ms,
			     const struct pgm_cells *cells, struct pgm_error *err)
{
	for (size_t i = 0; i < cells->count; i++) {
		const struct pgm_cell *cell = &cells->items[i];
		sqlite3_stmt *upsert =
			pgm_db_prepare(&writer->db,
				       "INSERT INTO hours VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
				       " ON CONFLICT (series, at_ms) DO UPDATE SET count = count + ?3, reset "
				       "= max(reset, ?4),"
				       " least = min(coalesce(least, ?5), coalesce(?5, least)),"
				       " sum = coalesce(sum, 0) + coalesce(?6, 0),"
				       " greatest = max(coalesce(greatest, ?7), coalesce(?7, greatest)),"
				       " last = coalesce(?8, last)",
				       err);
		if (!upsert)
			return false;
		pgm_db_bind(upsert, 4, (const int64_t[]){cell->series, hour_ms, cell->count, cell->reset});
		if (cell->count) {
			sqlite3_bind_double(upsert, 5, cell->min);
			sqlite3_bind_double(upsert, 6, cell->sum);
			sqlite3_bind_double(upsert, 7, cell->max);
			sqlite3_bind_double(upsert, 8, cell->last);
		}
		if (!pgm_db_run(&writer->db, upsert, err))
			return false;
	}
	return true;
}

/* Sizes of tables, each ten minutes into their hour alone. */
static bool write_objects(struct look *look)
{
	static const char *const names[] = {"schema", "table", NULL};
	const struct pgm_objects *objects = look->snapshot->objects;
	int64_t slot_ms = pgm_history_floor(look->at_ms, PGM_HISTORY_FOLD_MS) + 1;
	if (!objects || !look->snapshot->fresh_objects || look->target->objects_ms == slot_ms)
		return true;
	look->target->objects_ms = slot_ms;
	look->cells.count = 0;
	for (size_t i = 0; i < objects->table_count && i < PGM_HISTORY_TABLES_MAX; i++) {
		const struct pgm_table_row *table = &objects->tables[i];
		const char *const values[] = {table->schema, table->name, NULL};
		struct pgm_history_series_slot *slot =
			find_series(look, PGM_HISTORY_TABLE_BYTES,
				    pgm_history_labels(look->writer->scratch, names, values), false);
		if (look->failed)
			return false;
		if (slot)
			add_cell(look, slot->id, table->table_bytes + table->index_bytes);
	}
	struct pgm_cells cells = {look->cells.items, look->cells.count};
	pgm_cells_sort(&cells);
	return pgm_history_write_hours(look->writer, pgm_history_floor(look->at_ms, PGM_HISTORY_HOUR_MS),
				       &cells, look->err);
}

bool pgm_history_write(struct pgm_history_writer *writer, const struct pgm_snapshot *snapshot,
		       struct pgm_error *err)
{
	struct look look = {.writer = writer, .snapshot = snapshot, .err = err};
	if (!pgm_history_target_find(writer, snapshot->target.name, &look.target, err))
		return false;
	if (!look.target)
		return true;
	look.at_ms = order_time(look.target, snapshot);
	if (look.at_ms >= PGM_HISTORY_END_MS)
		return true; /* a clock in the 23rd century */
	note_marks(look.target, snapshot->marks);
	pgm_snapshot_visit(snapshot, true, add_sample, &look);
	if (look.failed)
		return false;
	struct pgm_cells cells = {look.cells.items, look.cells.count};
	pgm_cells_sort(&cells);
	struct pgm_buf packed;
	pgm_buf_init(&packed, writer->scratch);
	pgm_cells_pack(&cells, &packed);
	if (!write_raw(&look, &packed) || !write_minute(&look, &cells))
		return false;
	/* a clock that was put back: those hours have been added up */
	if (pgm_history_floor(look.at_ms, PGM_HISTORY_MINUTE_MS) < look.target->folded_ms &&
	    !pgm_history_write_hours(writer, pgm_history_floor(look.at_ms, PGM_HISTORY_HOUR_MS), &cells, err))
		return false;
	return write_objects(&look) &&
	       pgm_history_write_statements(writer, look.target, snapshot, look.at_ms, err) &&
	       pgm_history_fold(writer, look.target, look.at_ms, err);
}
