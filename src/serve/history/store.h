/*
 * The history's file: taken by one process, made or brought to today's schema, and bounded. Inside
 * serve/history/ only.
 */
#ifndef PGM_SERVE_HISTORY_STORE_H
#define PGM_SERVE_HISTORY_STORE_H

#include "serve/history/db.h"

#define PGM_STORE_VERSION     3
#define PGM_STORE_APPLICATION 0x70676d68 /* "pgmh" */

/*
 * Take the file (made where there is none, mode 0600) and check it: the descriptor holds the lock until it is
 * closed, which must be after the last connection's end (closing it drops SQLite's own locks). -1 with err,
 * as pgm_history_open().
 */
int pgm_store_take(const char *path, struct pgm_error *err) PGM_MUST_CHECK;

/* Make or migrate the schema, and set the limit. On the connection that writes samples. */
bool pgm_store_prepare(struct pgm_db *db, int64_t limit_bytes, struct pgm_error *err) PGM_MUST_CHECK;

/* A connection may not let the file grow beyond the limit, less what the log of writes may take. */
bool pgm_store_bound(struct pgm_db *db, int64_t limit_bytes, struct pgm_error *err) PGM_MUST_CHECK;
int64_t pgm_store_pages_max(int64_t limit_bytes);
/* Whether what is needed to make room may use the last few pages. */
bool pgm_store_open_reserve(struct pgm_db *db, int64_t limit_bytes, bool open,
			    struct pgm_error *err) PGM_MUST_CHECK;

#endif
