/*
 * How the parts of libpgmend fill the caller's struct pgmend_error. err may be NULL everywhere; all return
 * false, so that a caller can return them. They allocate nothing.
 */
#ifndef PGM_LIB_FAILURE_H
#define PGM_LIB_FAILURE_H

#include <pgmend/pgmend.h>

#include <libpq-fe.h>

void pgm_fail_clear(struct pgmend_error *err);

bool pgm_fail(struct pgmend_error *err, enum pgmend_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool pgm_fail_hint(struct pgmend_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool pgm_fail_memory(struct pgmend_error *err);

/* What the server answered: PGMEND_ERR_QUERY, or PGMEND_ERR_CONNECT where the connection is lost. */
bool pgm_fail_result(struct pgmend_error *err, const PGconn *conn, const PGresult *result);

/* libpq's own message: PGMEND_ERR_CONNECT, or _STATE where the connection is sound. */
bool pgm_fail_conn(struct pgmend_error *err, const PGconn *conn);

/* Copies at most size - 1 bytes of text, and breaks no UTF-8 character; NULL counts as "". */
void pgm_text_copy(char *to, size_t size, const char *text);

#endif
