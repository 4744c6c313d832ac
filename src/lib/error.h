/*
 * How the library fills the struct pgmend_error of its caller. err may be NULL everywhere; nothing is
 * allocated; texts that do not fit are cut at a character. What fills one returns false, so that a caller can
 * return it.
 */
#ifndef PGM_LIB_ERROR_H
#define PGM_LIB_ERROR_H

#include "pgmend/pgmend.h"

#include <libpq-fe.h>

/* No error: each public function that takes one begins with this. */
void pgm_lib_error_clear(struct pgmend_error *err);

bool pgm_lib_error_set(struct pgmend_error *err, enum pgmend_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool pgm_lib_error_hint(struct pgmend_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* malloc() gave none. */
bool pgm_lib_error_memory(struct pgmend_error *err);

/*
 * What the server said with a result that failed: PGMEND_ERR_QUERY with all its fields. For a result that is
 * NULL, or that libpq made itself because the connection broke, what the connection says.
 */
bool pgm_lib_error_result(struct pgmend_error *err, const PGconn *conn, const PGresult *result);

/* What libpq says about a connection: PGMEND_ERR_CONNECT, or PGMEND_ERR_MEMORY where it ran out of that. */
bool pgm_lib_error_conn(struct pgmend_error *err, const PGconn *conn);

/* Copies a text into a field of size bytes, cut at a character; without newlines at its end. NULL is "". */
void pgm_lib_error_copy(char *into, size_t size, const char *text);

#endif
