/*
 * A connection to the history's file, and its statements, each prepared once. Inside serve/history/ only: no
 * one else sees SQLite. A connection belongs to one thread at a time; a prepared statement is its
 * connection's, and is good until it is prepared again.
 */
#ifndef PGM_SERVE_HISTORY_DB_H
#define PGM_SERVE_HISTORY_DB_H

#include "util/arena.h"
#include "util/error.h"

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#define PGM_DB_STATEMENTS_MAX 64
#define PGM_DB_PAGE_BYTES     4096

struct pgm_db {
	sqlite3 *sqlite; /* NULL: not open */
	const char *path;
	struct {
		const char *sql; /* compared by address */
		sqlite3_stmt *statement;
	} prepared[PGM_DB_STATEMENTS_MAX];
	size_t prepared_count;
};

enum pgm_db_use {
	PGM_DB_SAMPLES, /* a lost machine may cost the last moments */
	PGM_DB_RECORDS, /* what was committed is on disk */
	PGM_DB_READS,
};

/* The file must be there. path must live as long as the connection. */
bool pgm_db_open(struct pgm_db *db, const char *path, enum pgm_db_use use,
		 struct pgm_error *err) PGM_MUST_CHECK;
void pgm_db_close(struct pgm_db *db);

/* sql: a constant. Its parameters are unset. NULL with err. */
sqlite3_stmt *pgm_db_prepare(struct pgm_db *db, const char *sql, struct pgm_error *err) PGM_MUST_CHECK;
/* Bind integers to parameters 1.. */
void pgm_db_bind(sqlite3_stmt *statement, size_t count, const int64_t *values);
/* The next row: *row false where there is none, and the statement is reset then. */
bool pgm_db_step(struct pgm_db *db, sqlite3_stmt *statement, bool *row, struct pgm_error *err) PGM_MUST_CHECK;
/* For a loop over rows: false at their end, where *fine says whether all came. rows NULL: none did. */
bool pgm_db_next(struct pgm_db *db, sqlite3_stmt *rows, bool *fine, struct pgm_error *err) PGM_MUST_CHECK;
/* To the end, without looking at rows. */
bool pgm_db_run(struct pgm_db *db, sqlite3_stmt *statement, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_db_exec(struct pgm_db *db, const char *sql, struct pgm_error *err) PGM_MUST_CHECK;
/* The first column of the first row; 0 where there is none or it is NULL. */
bool pgm_db_number(struct pgm_db *db, const char *sql, size_t count, const int64_t *values, int64_t *number,
		   struct pgm_error *err) PGM_MUST_CHECK;
void pgm_db_rollback(struct pgm_db *db); /* where a transaction is open */

/* Whether the last error says that the disk or the limit is full (and not that the file is damaged). */
bool pgm_db_is_full(const struct pgm_db *db);

/* A text column in the arena; "" for NULL. */
char *pgm_db_text(sqlite3_stmt *statement, int column, struct pgm_arena *arena);

#endif
