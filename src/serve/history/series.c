/* Numbers for targets and series, from memory where they are known. */
#include "serve/history/parts.h"

#include <string.h>

static bool load_targets(struct pgm_history_writer *writer, struct pgm_error *err)
{
	struct pgm_db *db = &writer->db;
	/* the last row of each target: where its time goes on */
	sqlite3_stmt *rows = pgm_db_prepare(db,
					    "SELECT id, name, folded_ms, (SELECT max(id) FROM raw WHERE "
					    "raw.id >= targets.id << 43 AND raw.id < "
					    "(targets.id + 1) << 43) FROM targets",
					    err);
	bool fine;
	while (pgm_db_next(db, rows, &fine, err)) {
		struct pgm_history_target *target = PGM_NEW(writer->cache, struct pgm_history_target);
		target->id = (uint32_t)sqlite3_column_int64(rows, 0);
		target->folded_ms = sqlite3_column_int64(rows, 2);
		target->last_ms = PGM_HISTORY_KEY_MS(sqlite3_column_int64(rows, 3));
		pgm_map_set(&writer->targets, pgm_db_text(rows, 1, writer->cache), target);
	}
	return fine;
}

static char *series_key(struct pgm_arena *arena, uint32_t target, const char *metric, const char *labels)
{
	return pgm_sprintf(arena, "%u/%s/%s", target, metric, labels);
}

static bool load_series(struct pgm_history_writer *writer, struct pgm_error *err)
{
	struct pgm_db *db = &writer->db;
	sqlite3_stmt *rows =
		pgm_db_prepare(db, "SELECT id, target, metric, labels, seen_ms FROM series", err);
	bool fine;
	while (pgm_db_next(db, rows, &fine, err)) {
		struct pgm_history_series_slot *slot = PGM_NEW(writer->cache, struct pgm_history_series_slot);
		slot->id = (uint32_t)sqlite3_column_int64(rows, 0);
		slot->seen_ms = sqlite3_column_int64(rows, 4);
		pgm_map_set(&writer->series,
			    series_key(writer->cache, (uint32_t)sqlite3_column_int64(rows, 1),
				       (const char *)sqlite3_column_text(rows, 2),
				       (const char *)sqlite3_column_text(rows, 3)),
			    slot);
	}
	return fine;
}

void pgm_history_statements_forget(struct pgm_history_writer *writer)
{
	pgm_arena_reset(writer->statement_cache);
	pgm_map_init(&writer->statements, writer->statement_cache);
}

bool pgm_history_writer_load(struct pgm_history_writer *writer, struct pgm_error *err)
{
	pgm_map_init(&writer->targets, writer->cache);
	pgm_map_init(&writer->series, writer->cache);
	pgm_map_init(&writer->statements, writer->statement_cache);
	return load_targets(writer, err) && load_series(writer, err);
}

void pgm_history_writer_forget(struct pgm_history_writer *writer)
{
	for (size_t i = 0; i < writer->targets.capacity; i++) {
		struct pgm_history_target *target = writer->targets.slots[i].value;
		for (int source = 0; target && source < 2; source++)
			pgm_snapshot_release(target->base[source]);
	}
	writer->targets = writer->series = writer->statements = (struct pgm_map){0};
	pgm_arena_reset(writer->cache);
	pgm_arena_reset(writer->statement_cache);
}

bool pgm_history_target_find(struct pgm_history_writer *writer, const char *name,
			     struct pgm_history_target **target, struct pgm_error *err)
{
	*target = pgm_map_get(&writer->targets, name);
	if (*target || writer->targets.count >= PGM_HISTORY_TARGETS_MAX)
		return true;
	sqlite3_stmt *insert = pgm_db_prepare(&writer->db, "INSERT INTO targets (name) VALUES (?)", err);
	if (!insert)
		return false;
	sqlite3_bind_text(insert, 1, name, -1, SQLITE_STATIC);
	if (!pgm_db_run(&writer->db, insert, err))
		return false;
	*target = PGM_NEW(writer->cache, struct pgm_history_target);
	(*target)->id = (uint32_t)sqlite3_last_insert_rowid(writer->db.sqlite);
	pgm_map_set(&writer->targets, pgm_strdup(writer->cache, name), *target);
	return true;
}

/* Once a day, so that what is no longer seen can be told. */
static bool note_seen(struct pgm_history_writer *writer, struct pgm_history_series_slot *slot, int64_t at_ms,
		      struct pgm_error *err)
{
	if (at_ms - slot->seen_ms < PGM_HISTORY_DAY_MS)
		return true;
	sqlite3_stmt *update =
		pgm_db_prepare(&writer->db, "UPDATE series SET seen_ms = ?1 WHERE id = ?2", err);
	if (!update)
		return false;
	pgm_db_bind(update, 2, (const int64_t[]){at_ms, slot->id});
	slot->seen_ms = at_ms;
	return pgm_db_run(&writer->db, update, err);
}

bool pgm_history_series_find(struct pgm_history_writer *writer, const struct pgm_history_target *target,
			     const char *metric, const char *labels, bool rate, int64_t at_ms,
			     struct pgm_history_series_slot **slot, struct pgm_error *err)
{
	char *key = series_key(writer->scratch, target->id, metric, labels);
	*slot = pgm_map_get(&writer->series, key);
	if (*slot)
		return note_seen(writer, *slot, at_ms, err);
	if (writer->series.count >= PGM_HISTORY_SERIES_MAX) {
		writer->series_left_out++;
		return true;
	}
	sqlite3_stmt *insert = pgm_db_prepare(
		&writer->db,
		"INSERT INTO series (target, metric, labels, rate, seen_ms) VALUES (?, ?, ?, ?, ?)", err);
	if (!insert)
		return false;
	sqlite3_bind_int64(insert, 1, target->id);
	sqlite3_bind_text(insert, 2, metric, -1, SQLITE_STATIC);
	sqlite3_bind_text(insert, 3, labels, -1, SQLITE_STATIC);
	sqlite3_bind_int64(insert, 4, rate);
	sqlite3_bind_int64(insert, 5, at_ms);
	if (!pgm_db_run(&writer->db, insert, err))
		return false;
	*slot = PGM_NEW(writer->cache, struct pgm_history_series_slot);
	(*slot)->id = (uint32_t)sqlite3_last_insert_rowid(writer->db.sqlite);
	(*slot)->seen_ms = at_ms;
	pgm_map_set(&writer->series, pgm_strdup(writer->cache, key), *slot);
	return true;
}

char *pgm_history_labels(struct pgm_arena *arena, const char *const *names, const char *const *values)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	for (size_t i = 0; names[i]; i++) {
		pgm_buf_printf(&buf, "%s%s=\"", i ? "," : "", names[i]);
		for (const char *c = values[i]; *c; c++) {
			if (*c == '"' || *c == '\\')
				pgm_buf_char(&buf, '\\');
			if (*c == '\n')
				pgm_buf_add(&buf, "\\n");
			else
				pgm_buf_char(&buf, *c);
		}
		pgm_buf_char(&buf, '"');
	}
	return buf.length ? buf.text : pgm_strdup(arena, "");
}
