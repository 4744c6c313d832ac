#include "serve/history/db.h"

#include <errno.h>
#include <string.h>

#define BUSY_TIMEOUT_MS 10000

static bool fail(struct pgm_db *db, struct pgm_error *err)
{
	int code = sqlite3_extended_errcode(db->sqlite);
	switch (code & 0xff) {
	case SQLITE_FULL:
		pgm_error_set(err, PGM_ERR_SYSTEM, "the history %s cannot grow: %s", db->path,
			      sqlite3_system_errno(db->sqlite) == ENOSPC
				      ? "the disk is full"
				      : "it is at its limit or the disk is full");
		return pgm_error_hint(err, "Free space on its disk, or raise history_size.");
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		pgm_error_set(err, PGM_ERR_STATE, "the history %s is damaged (%s)", db->path,
			      sqlite3_errmsg(db->sqlite));
		return pgm_error_hint(
			err, "Stop pgmend serve and move the file away (with its -wal and -shm); what "
			     "can be saved of it: sqlite3 FILE .recover. A new one is made at the start.");
	default:
		return pgm_error_set(
			err, PGM_ERR_SYSTEM, "the history %s: %s%s%s", db->path, sqlite3_errmsg(db->sqlite),
			(code & 0xff) == SQLITE_IOERR ? ": " : "",
			(code & 0xff) == SQLITE_IOERR ? strerror(sqlite3_system_errno(db->sqlite)) : "");
	}
}

bool pgm_db_is_full(const struct pgm_db *db)
{
	int code = db->sqlite ? sqlite3_errcode(db->sqlite) & 0xff : SQLITE_OK;
	return code == SQLITE_FULL || code == SQLITE_IOERR;
}

bool pgm_db_open(struct pgm_db *db, const char *path, enum pgm_db_use use, struct pgm_error *err)
{
	*db = (struct pgm_db){.path = path};
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
	if (sqlite3_open_v2(path, &db->sqlite, flags, NULL) != SQLITE_OK) {
		if (db->sqlite)
			fail(db, err);
		else
			pgm_error_set(err, PGM_ERR_SYSTEM, "the history %s: out of memory", path);
		pgm_db_close(db);
		return false;
	}
	sqlite3_extended_result_codes(db->sqlite, 1);
	sqlite3_busy_timeout(db->sqlite, BUSY_TIMEOUT_MS);
	const char *settings = use == PGM_DB_READS ? "PRAGMA query_only = 1; PRAGMA cache_size = -1000"
			       : use == PGM_DB_RECORDS
				       ? "PRAGMA synchronous = FULL; PRAGMA cache_size = -500"
				       : "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8000";
	if (!pgm_db_exec(db, settings, err)) {
		pgm_db_close(db);
		return false;
	}
	return true;
}

void pgm_db_close(struct pgm_db *db)
{
	for (size_t i = 0; i < db->prepared_count; i++)
		sqlite3_finalize(db->prepared[i].statement);
	sqlite3_close(db->sqlite);
	*db = (struct pgm_db){0};
}

sqlite3_stmt *pgm_db_prepare(struct pgm_db *db, const char *sql, struct pgm_error *err)
{
	for (size_t i = 0; i < db->prepared_count; i++) {
		if (db->prepared[i].sql != sql)
			continue;
		sqlite3_reset(db->prepared[i].statement);
		sqlite3_clear_bindings(db->prepared[i].statement);
		return db->prepared[i].statement;
	}
	sqlite3_stmt *statement = NULL;
	if (db->prepared_count == PGM_DB_STATEMENTS_MAX) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "the history has too many statements");
		return NULL;
	}
	if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
	    SQLITE_OK) {
		fail(db, err);
		return NULL;
	}
	db->prepared[db->prepared_count].sql = sql;
	db->prepared[db->prepared_count++].statement = statement;
	return statement;
}

void pgm_db_bind(sqlite3_stmt *statement, size_t count, const int64_t *values)
{
	for (size_t i = 0; i < count; i++)
		sqlite3_bind_int64(statement, (int)i + 1, values[i]);
}

bool pgm_db_step(struct pgm_db *db, sqlite3_stmt *statement, bool *row, struct pgm_error *err)
{
	int code = sqlite3_step(statement);
	*row = code == SQLITE_ROW;
	if (code == SQLITE_ROW)
		return true;
	if (code != SQLITE_DONE)
		fail(db, err);
	sqlite3_reset(statement);
	return code == SQLITE_DONE;
}

bool pgm_db_next(struct pgm_db *db, sqlite3_stmt *rows, bool *fine, struct pgm_error *err)
{
	bool row = false;
	*fine = rows && pgm_db_step(db, rows, &row, err);
	return row;
}

bool pgm_db_run(struct pgm_db *db, sqlite3_stmt *statement, struct pgm_error *err)
{
	bool fine;
	while (pgm_db_next(db, statement, &fine, err))
		;
	return fine;
}

bool pgm_db_exec(struct pgm_db *db, const char *sql, struct pgm_error *err)
{
	return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK || fail(db, err);
}

bool pgm_db_number(struct pgm_db *db, const char *sql, size_t count, const int64_t *values, int64_t *number,
		   struct pgm_error *err)
{
	sqlite3_stmt *statement = pgm_db_prepare(db, sql, err);
	bool row;
	if (!statement)
		return false;
	pgm_db_bind(statement, count, values);
	if (!pgm_db_step(db, statement, &row, err))
		return false;
	*number = row ? sqlite3_column_int64(statement, 0) : 0;
	sqlite3_reset(statement);
	return true;
}

void pgm_db_rollback(struct pgm_db *db)
{
	if (db->sqlite && !sqlite3_get_autocommit(db->sqlite))
		sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
}

char *pgm_db_text(sqlite3_stmt *statement, int column, struct pgm_arena *arena)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);
	return pgm_strndup(arena, text ? text : "", (size_t)sqlite3_column_bytes(statement, column));
}
