/* Connections for those who ask: each belongs to one of them at a time. */
#include "serve/history/parts.h"

#include <stdlib.h>

struct pgm_db *pgm_history_reader(struct pgm_history *history, struct pgm_error *err)
{
	struct pgm_db *db = NULL;
	pthread_mutex_lock(&history->readers_lock);
	if (history->idle_reader_count)
		db = history->idle_readers[--history->idle_reader_count];
	pthread_mutex_unlock(&history->readers_lock);
	if (db)
		return db;
	db = calloc(1, sizeof(*db));
	if (!db) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "reading the history: out of memory");
	} else if (!pgm_db_open(db, history->path, PGM_DB_READS, err)) {
		free(db);
		db = NULL;
	}
	return db;
}

void pgm_history_reader_done(struct pgm_history *history, struct pgm_db *db)
{
	for (size_t i = 0; i < db->prepared_count; i++)
		sqlite3_reset(db->prepared[i].statement);
	pthread_mutex_lock(&history->readers_lock);
	bool kept = history->idle_reader_count < PGM_HISTORY_READERS_MAX;
	if (kept)
		history->idle_readers[history->idle_reader_count++] = db;
	pthread_mutex_unlock(&history->readers_lock);
	if (kept)
		return;
	pgm_db_close(db);
	free(db);
}

void pgm_history_readers_close(struct pgm_history *history)
{
	while (history->idle_reader_count) {
		struct pgm_db *db = history->idle_readers[--history->idle_reader_count];
		pgm_db_close(db);
		free(db);
	}
}

bool pgm_history_target_number(struct pgm_db *db, const char *name, int64_t *id, struct pgm_error *err)
{
	sqlite3_stmt *select = pgm_db_prepare(db, "SELECT id FROM targets WHERE name = ?", err);
	bool row;
	if (!select)
		return false;
	sqlite3_bind_text(select, 1, name, -1, SQLITE_STATIC);
	if (!pgm_db_step(db, select, &row, err))
		return false;
	*id = row ? sqlite3_column_int64(select, 0) : 0;
	sqlite3_reset(select);
	return true;
}

bool pgm_history_first(struct pgm_db *db, const char *sql, int64_t stream, int64_t from_ms, int64_t to_ms,
		       int64_t *at_ms, struct pgm_error *err)
{
	const int64_t keys[] = {PGM_HISTORY_KEY(stream, from_ms), PGM_HISTORY_KEY(stream, to_ms)};
	bool fine = pgm_db_number(db, sql, 2, keys, at_ms, err);
	*at_ms = fine ? PGM_HISTORY_KEY_MS(*at_ms) : 0;
	return fine;
}

bool pgm_history_range_ok(int64_t from_ms, int64_t to_ms, struct pgm_error *err)
{
	if (from_ms >= 0 && to_ms > from_ms && to_ms <= PGM_HISTORY_END_MS)
		return true;
	pgm_error_set(err, PGM_ERR_USAGE, "a range of time must end after it begins");
	return pgm_error_hint(err, "from and to are moments: to is the later one.");
}

int64_t pgm_history_step(int64_t from_ms, int64_t to_ms, int64_t points)
{
	static const int64_t steps_s[] = {10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400};
	size_t count = sizeof(steps_s) / sizeof(steps_s[0]);
	for (size_t i = 0; i < count; i++)
		if ((to_ms - from_ms) / (steps_s[i] * 1000) <= points)
			return steps_s[i] * 1000;
	return steps_s[count - 1] * 1000;
}
