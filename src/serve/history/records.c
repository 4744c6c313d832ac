/* Records of other parts: a text for a kind and an id, on disk when the call returns. */
#include "serve/history/parts.h"
#include "util/vec.h"

#include <string.h>

static bool too_long(const char *kind, const char *body, struct pgm_error *err)
{
	if (strlen(body) <= PGM_HISTORY_RECORD_MAX_BYTES)
		return false;
	pgm_error_set(err, PGM_ERR_SYSTEM, "a record of %s is longer than %d kB", kind,
		      PGM_HISTORY_RECORD_MAX_BYTES >> 10);
	return true;
}

static sqlite3_stmt *prepare_texts(struct pgm_db *db, const char *sql, const char *kind, const char *id,
				   struct pgm_error *err)
{
	sqlite3_stmt *statement = pgm_db_prepare(db, sql, err);
	if (!statement)
		return NULL;
	sqlite3_bind_text(statement, 1, kind, -1, SQLITE_STATIC);
	if (id)
		sqlite3_bind_text(statement, 2, id, -1, SQLITE_STATIC);
	return statement;
}

static bool put(struct pgm_db *db, const char *kind, const char *id, int64_t at_ms, const char *body,
		struct pgm_error *err)
{
	sqlite3_stmt *replace = prepare_texts(
		db, "INSERT OR REPLACE INTO records (kind, id, at_ms, body) VALUES (?1, ?2, ?3, ?4)", kind,
		id, err);
	if (!replace)
		return false;
	sqlite3_bind_int64(replace, 3, at_ms);
	sqlite3_bind_text(replace, 4, body, -1, SQLITE_STATIC);
	if (!pgm_db_run(db, replace, err))
		return false;
	/* the oldest beyond the limit; an index scan that mostly finds none */
	sqlite3_stmt *trim =
		prepare_texts(db,
			      "DELETE FROM records WHERE kind = ?1 AND id IN (SELECT id FROM records"
			      " WHERE kind = ?1 ORDER BY at_ms DESC LIMIT -1 OFFSET ?2)",
			      kind, NULL, err);
	if (!trim)
		return false;
	sqlite3_bind_int64(trim, 2, PGM_HISTORY_RECORDS_MAX);
	return pgm_db_run(db, trim, err);
}

bool pgm_history_record_put(struct pgm_history *history, const char *kind, const char *id, int64_t at_ms,
			    const char *body, struct pgm_error *err)
{
	if (too_long(kind, body, err))
		return false;
	struct pgm_db *db = &history->records;
	pthread_mutex_lock(&history->records_lock);
	bool fine = pgm_db_exec(db, "BEGIN IMMEDIATE", err) && put(db, kind, id, at_ms, body, err) &&
		    pgm_db_exec(db, "COMMIT", err);
	pgm_db_rollback(db);
	pthread_mutex_unlock(&history->records_lock);
	return fine;
}

bool pgm_history_record_delete(struct pgm_history *history, const char *kind, const char *id,
			       struct pgm_error *err)
{
	struct pgm_db *db = &history->records;
	pthread_mutex_lock(&history->records_lock);
	sqlite3_stmt *statement =
		prepare_texts(db, "DELETE FROM records WHERE kind = ?1 AND id = ?2", kind, id, err);
	bool fine = statement && pgm_db_run(db, statement, err);
	pthread_mutex_unlock(&history->records_lock);
	return fine;
}

static struct pgm_history_record *copy_row(sqlite3_stmt *row, struct pgm_arena *arena)
{
	struct pgm_history_record *record = PGM_NEW(arena, struct pgm_history_record);
	record->id = pgm_db_text(row, 0, arena);
	record->at_ms = sqlite3_column_int64(row, 1);
	record->body = pgm_db_text(row, 2, arena);
	return record;
}

bool pgm_history_record_get(struct pgm_history *history, const char *kind, const char *id,
			    struct pgm_arena *arena, struct pgm_history_record **record,
			    struct pgm_error *err)
{
	struct pgm_db *db = pgm_history_reader(history, err);
	*record = NULL;
	if (!db)
		return false;
	sqlite3_stmt *select = prepare_texts(
		db, "SELECT id, at_ms, body FROM records WHERE kind = ?1 AND id = ?2", kind, id, err);
	bool row, fine = select && pgm_db_step(db, select, &row, err);
	if (fine && row)
		*record = copy_row(select, arena);
	pgm_history_reader_done(history, db);
	return fine;
}

bool pgm_history_record_list(struct pgm_history *history, const char *kind, size_t limit,
			     struct pgm_arena *arena, struct pgm_history_record **records, size_t *count,
			     struct pgm_error *err)
{
	PGM_VEC(struct pgm_history_record) all = {0};
	struct pgm_db *db = pgm_history_reader(history, err);
	if (!db)
		return false;
	sqlite3_stmt *select = prepare_texts(
		db,
		"SELECT id, at_ms, body FROM records WHERE kind = ?1 ORDER BY at_ms DESC, id DESC LIMIT ?2",
		kind, NULL, err);
	bool row = select != NULL, fine = row;
	if (select)
		sqlite3_bind_int64(select, 2, limit ? (int64_t)limit : -1);
	while (fine && row) {
		fine = pgm_db_step(db, select, &row, err);
		if (fine && row)
			*pgm_vec_add(arena, &all) = *copy_row(select, arena);
	}
	pgm_history_reader_done(history, db);
	*records = all.items;
	*count = all.count;
	return fine;
}
