/*
 * How a function below the command line says that it failed: it returns false (or NULL) and fills a
 * struct pgm_error. The struct owns no memory: declare it on the stack and pass its address; texts that do
 * not fit are cut. Each caller may put what it was doing before the message:
 *
 *	return pgm_error_context(err, "reading the ledger");   -- always false
 */
#ifndef PGM_UTIL_ERROR_H
#define PGM_UTIL_ERROR_H

#include <stdbool.h>

enum pgm_error_kind {
	PGM_ERR_NONE = 0,
	PGM_ERR_USAGE,	  /* what the user asked for makes no sense: exit code 2 */
	PGM_ERR_CONNECT,  /* no server, wrong password, server gone: exit code 3 */
	PGM_ERR_RIGHTS,	  /* not allowed, or a server that can't be used for this: exit code 3 */
	PGM_ERR_INPUT,	  /* a file that can't be read or understood: exit code 2 */
	PGM_ERR_QUERY,	  /* the server refused a statement: exit code 4 */
	PGM_ERR_TIMEOUT,  /* a lock or time budget was spent: exit code 4 */
	PGM_ERR_CANCELED, /* the user stopped us: exit code 4 */
	PGM_ERR_STATE,	  /* the database is not as it must be for this: exit code 4 */
	PGM_ERR_SYSTEM,	  /* files, processes, memory: exit code 4 */
};

struct pgm_error {
	enum pgm_error_kind kind;
	char sqlstate[6]; /* "" where the error is not the server's */
	char message[1024];
	char hint[512]; /* "" or a sentence that says what to do */
};

/* Fill err (which may be NULL). Both return false, so that a caller can return them. */
bool pgm_error_set(struct pgm_error *err, enum pgm_error_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool pgm_error_hint(struct pgm_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put "<context>: " before the message. Returns false. */
bool pgm_error_context(struct pgm_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

void pgm_error_clear(struct pgm_error *err);

#define PGM_MUST_CHECK __attribute__((warn_unused_result))

#endif
