/* Statements: what each did since the last look at them, added to its minute and its hour. */
#include "serve/history/parts.h"

#include <stdlib.h>
#include <string.h>

#define BASE_AGE_MAX_MS	       3600e3 /* what happened in a longer gap is of no known time */
#define TEXT_MAX_BYTES	       ((size_t)8192)
#define CACHED_MAX	       50000
#define STREAM(target, source) ((int64_t)(target)->id * 2 + (source))

struct change {
	const struct pgm_statement_row *row;
	struct pgm_statement_cell cell;
};

struct changes {
	struct change *items;
	size_t count;
};

static const struct pgm_statements *statements_of(const struct pgm_snapshot *snapshot, int source)
{
	return source ? snapshot->profile : snapshot->statements;
}

static char *row_key(struct pgm_arena *arena, const struct pgm_statement_row *row)
{
	return pgm_sprintf(arena, "%llx/%s", (unsigned long long)row->id, row->user ? row->user : "");
}

static uint64_t grown(double now, double before)
{
	return now > before ? (uint64_t)(now - before) : 0;
}

static struct pgm_histogram *histogram_change(struct pgm_arena *arena, const struct pgm_histogram *now,
					      const struct pgm_histogram *before)
{
	struct pgm_histogram *change = PGM_NEW(arena, struct pgm_histogram);
	*change = *now;
	if (!before)
		return change;
	change->count = 0;
	change->sum_us = now->sum_us > before->sum_us ? now->sum_us - before->sum_us : 0;
	for (unsigned i = 0; i < PGM_HISTOGRAM_BUCKETS; i++) {
		change->counts[i] =
			now->counts[i] > before->counts[i] ? now->counts[i] - before->counts[i] : 0;
		change->count += change->counts[i];
	}
	/* the slowest of all is of this interval, or else the slowest is somewhere in its last bucket */
	if (now->max_us <= before->max_us) {
		change->max_us = UINT32_MAX;
		change->max_us = (uint32_t)pgm_histogram_percentile_us(change, 100);
	}
	return change;
}

/* before NULL: all of it is new, or the counters began anew. */
static bool change_of(struct pgm_arena *arena, const struct pgm_statement_row *now,
		      const struct pgm_statement_row *before, struct pgm_statement_cell *cell)
{
	static const struct pgm_statement_row none;
	if (!before || now->calls < before->calls || now->total_ms < before->total_ms)
		before = &none;
	*cell = (struct pgm_statement_cell){
		.calls = grown(now->calls, before->calls),
		.errors = grown(now->errors, before->errors),
		.rows = grown(now->rows, before->rows),
		.total_us = grown(now->total_ms * 1e3, before->total_ms * 1e3),
		.blocks_hit = grown(now->hit_blocks, before->hit_blocks),
		.blocks_read = grown(now->read_blocks, before->read_blocks),
		.blocks_temp = grown(now->temp_blocks, before->temp_blocks),
		.bursts = grown(now->bursts, before->bursts),
	};
	if (!cell->calls && !cell->total_us && !cell->errors)
		return false;
	if (now->histogram)
		cell->histogram = histogram_change(arena, now->histogram, before->histogram);
	return true;
}

static struct changes find_changes(struct pgm_arena *arena, const struct pgm_statements *now,
				   const struct pgm_statements *before)
{
	struct changes changes = {PGM_NEW_ARRAY(arena, struct change, now->count + 1), 0};
	struct pgm_map earlier;
	pgm_map_init(&earlier, arena);
	for (size_t i = 0; i < before->count; i++)
		pgm_map_set(&earlier, row_key(arena, &before->rows[i]), (void *)&before->rows[i]);
	for (size_t i = 0; i < now->count; i++) {
		const struct pgm_statement_row *was = pgm_map_get(&earlier, row_key(arena, &now->rows[i]));
		/* it may have been there before, beyond those that were looked at */
		if (!was && before->cut)
			continue;
		struct change *change = &changes.items[changes.count];
		change->row = &now->rows[i];
		changes.count += change_of(arena, change->row, was, &change->cell);
	}
	return changes;
}

static int by_time(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	return (x->cell.total_us < y->cell.total_us) - (x->cell.total_us > y->cell.total_us);
}

static bool number_of(struct pgm_history_writer *writer, const struct pgm_history_target *target, int source,
		      const struct pgm_statement_row *row, int64_t at_ms, uint32_t *id, struct pgm_error *err)
{
	char *key =
		pgm_sprintf(writer->scratch, "%u/%d/%s", target->id, source, row_key(writer->scratch, row));
	struct pgm_history_statement_slot *slot = pgm_map_get(&writer->statements, key);
	size_t text_bytes = strnlen(row->text ? row->text : "", TEXT_MAX_BYTES);
	/* where there is no room for the text it comes with a later look at the statement */
	bool has_text = text_bytes && text_bytes <= writer->texts_room;
	if (slot && (slot->has_text || !has_text) && at_ms - slot->seen_ms < PGM_HISTORY_SEEN_STEP_MS) {
		slot->last_ms = at_ms;
		*id = slot->id;
		return true;
	}
	if (has_text && !(slot && slot->has_text))
		writer->texts_room -= text_bytes;
	sqlite3_stmt *upsert = pgm_db_prepare(
		&writer->db,
		"INSERT INTO statements (target, source, fingerprint, user, query, seen_ms) VALUES (?1, ?2, "
		"?3, ?5, ?6,"
		" ?4) ON CONFLICT (target, source, fingerprint, user) DO UPDATE SET seen_ms = ?4,"
		" query = CASE WHEN query = '' THEN ?6 ELSE query END RETURNING id",
		err);
	bool found;
	if (!upsert)
		return false;
	const char *text = has_text ? row->text : "", *user = row->user ? row->user : "";
	pgm_db_bind(upsert, 4, (const int64_t[]){target->id, source, (int64_t)row->id, at_ms});
	sqlite3_bind_text(upsert, 5, user, -1, SQLITE_STATIC);
	sqlite3_bind_text(upsert, 6, text, has_text ? (int)text_bytes : 0, SQLITE_STATIC);
	if (!pgm_db_step(&writer->db, upsert, &found, err))
		return false;
	*id = (uint32_t)sqlite3_column_int64(upsert, 0);
	sqlite3_reset(upsert);
	if (writer->statements.count >= CACHED_MAX) {
		pgm_history_statements_forget(writer);
		slot = NULL;
	}
	if (!slot) {
		slot = PGM_NEW(writer->statement_cache, struct pgm_history_statement_slot);
		pgm_map_set(&writer->statements, pgm_strdup(writer->statement_cache, key), slot);
	}
	*slot = (struct pgm_history_statement_slot){*id, at_ms, at_ms, has_text || slot->has_text};
	return true;
}

static int by_number(const void *a, const void *b)
{
	const struct pgm_statement_cell *x = a, *y = b;
	return (x->statement > y->statement) - (x->statement < y->statement);
}

static int by_cell_time(const void *a, const void *b)
{
	const struct pgm_statement_cell *x = a, *y = b;
	if (!x->statement || !y->statement)
		return !x->statement - !y->statement; /* the others stay the others */
	return (x->total_us < y->total_us) - (x->total_us > y->total_us);
}

/* The looks of an hour may have many more than one look has: only the most expensive are kept apart. */
static void bound_cells(struct pgm_arena *arena, struct pgm_statement_cells *cells)
{
	struct pgm_statement_cell others = {0};
	const size_t most = PGM_HISTORY_STATEMENT_ROW_MAX;
	if (cells->count <= most)
		return;
	qsort(cells->items, cells->count, sizeof(*cells->items), by_cell_time);
	for (size_t i = most - 1; i < cells->count; i++)
		pgm_statement_cell_merge(arena, &others, &cells->items[i]);
	cells->items[most - 1] = others;
	cells->count = most;
	qsort(cells->items, cells->count, sizeof(*cells->items), by_number);
}

/* Sorted by number, each once: the most expensive, and number 0 for the others. */
static bool cells_of(struct pgm_history_writer *writer, const struct pgm_history_target *target, int source,
		     struct changes *changes, int64_t at_ms, struct pgm_statement_cells *cells,
		     struct pgm_error *err)
{
	struct pgm_arena *arena = writer->scratch;
	size_t kept = 0;
	if (changes->count)
		qsort(changes->items, changes->count, sizeof(*changes->items), by_time);
	cells->items = PGM_NEW_ARRAY(arena, struct pgm_statement_cell, changes->count + 1);
	for (size_t i = 0; i < changes->count; i++) {
		struct pgm_statement_cell *cell = &cells->items[i];
		*cell = changes->items[i].cell;
		if (i < PGM_HISTORY_STATEMENT_CELLS_MAX &&
		    !number_of(writer, target, source, changes->items[i].row, at_ms, &cell->statement, err))
			return false;
	}
	if (changes->count)
		qsort(cells->items, changes->count, sizeof(*cells->items), by_number);
	for (size_t i = 0; i < changes->count; i++) {
		if (kept && cells->items[kept - 1].statement == cells->items[i].statement)
			pgm_statement_cell_merge(arena, &cells->items[kept - 1], &cells->items[i]);
		else
			cells->items[kept++] = cells->items[i];
	}
	cells->count = kept;
	return true;
}

/* Add cells to the row of their interval. The two statements of SQL are the table's. */
static bool add_to(struct pgm_history_writer *writer, const char *select_sql, const char *replace_sql,
		   int64_t key, const struct pgm_statement_cells *cells, struct pgm_error *err)
{
	struct pgm_db *db = &writer->db;
	struct pgm_arena *arena = writer->scratch;
	struct pgm_statement_cells all = *cells;
	bool row;
	sqlite3_stmt *select = pgm_db_prepare(db, select_sql, err);
	if (!select)
		return false;
	sqlite3_bind_int64(select, 1, key);
	if (!pgm_db_step(db, select, &row, err))
		return false;
	if (row) {
		struct pgm_statement_cells there = pgm_statement_cells_unpack(
			arena, sqlite3_column_blob(select, 0), (size_t)sqlite3_column_bytes(select, 0));
		all = pgm_statement_cells_merge(arena, &there, cells);
		bound_cells(arena, &all);
		sqlite3_reset(select);
	}
	struct pgm_buf packed;
	pgm_buf_init(&packed, arena);
	pgm_statement_cells_pack(&all, &packed);
	sqlite3_stmt *replace = pgm_db_prepare(db, replace_sql, err);
	if (!replace)
		return false;
	sqlite3_bind_int64(replace, 1, key);
	sqlite3_bind_blob64(replace, 2, packed.text, packed.length, SQLITE_STATIC);
	return pgm_db_run(db, replace, err);
}

static bool write_source(struct pgm_history_writer *writer, struct pgm_history_target *target, int source,
			 const struct pgm_snapshot *snapshot, int64_t at_ms, struct pgm_error *err)
{
	static const char minute_select[] = "SELECT cells FROM statement_minutes WHERE id = ?";
	static const char minute_replace[] =
		"INSERT OR REPLACE INTO statement_minutes (id, cells) VALUES (?, ?)";
	static const char hour_select[] = "SELECT cells FROM statement_hours WHERE id = ?";
	static const char hour_replace[] = "INSERT OR REPLACE INTO statement_hours (id, cells) VALUES (?, ?)";
	const struct pgm_snapshot *base = target->base[source];
	struct pgm_statement_cells cells = {0};
	if (base && snapshot->mono_ms - base->mono_ms <= BASE_AGE_MAX_MS) {
		struct changes changes = find_changes(writer->scratch, statements_of(snapshot, source),
						      statements_of(base, source));
		if (!cells_of(writer, target, source, &changes, at_ms, &cells, err))
			return false;
	}
	target->base[source] = pgm_snapshot_keep(snapshot);
	pgm_snapshot_release(base);
	if (!cells.count)
		return true;
	int64_t stream = STREAM(target, source);
	return add_to(writer, minute_select, minute_replace,
		      PGM_HISTORY_KEY(stream, pgm_history_floor(at_ms, PGM_HISTORY_MINUTE_MS)), &cells,
		      err) &&
	       add_to(writer, hour_select, hour_replace,
		      PGM_HISTORY_KEY(stream, pgm_history_floor(at_ms, PGM_HISTORY_HOUR_MS)), &cells, err);
}

bool pgm_history_write_statements(struct pgm_history_writer *writer, struct pgm_history_target *target,
				  const struct pgm_snapshot *snapshot, int64_t at_ms, struct pgm_error *err)
{
	const bool fresh[] = {snapshot->fresh_statements, snapshot->fresh_profile};
	for (int source = 0; source < 2; source++)
		if (fresh[source] && statements_of(snapshot, source) &&
		    !write_source(writer, target, source, snapshot, at_ms, err))
			return false;
	return true;
}
