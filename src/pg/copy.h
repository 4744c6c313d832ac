/*
 * COPY between a session and us. The callback may fail: then the COPY is given up and its error returned.
 */
#ifndef PGM_PG_COPY_H
#define PGM_PG_COPY_H

#include "pg/conn.h"

/* Takes the next piece of what the server sends. */
typedef bool pgm_copy_sink(void *arg, const char *data, size_t length, struct pgm_error *err);

/* Gives the next piece to send; length 0 ends it. It must stay valid until the next call. */
typedef bool pgm_copy_source(void *arg, const char **data, size_t *length, struct pgm_error *err);

/* sql: COPY ... TO STDOUT. *rows: as the server counted them. */
bool pgm_conn_copy_out(struct pgm_conn *conn, const char *sql, pgm_copy_sink *sink, void *arg, int64_t *rows,
		       struct pgm_error *err) PGM_MUST_CHECK;

/* sql: COPY ... FROM STDIN. */
bool pgm_conn_copy_in(struct pgm_conn *conn, const char *sql, pgm_copy_source *source, void *arg,
		      int64_t *rows, struct pgm_error *err) PGM_MUST_CHECK;

/* The same; where the server refuses a row, context (of size bytes) says which, in the server's words. */
bool pgm_conn_copy_in_context(struct pgm_conn *conn, const char *sql, pgm_copy_source *source, void *arg,
			      int64_t *rows, char *context, size_t size,
			      struct pgm_error *err) PGM_MUST_CHECK;

#endif
