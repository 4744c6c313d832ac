/*
 * The parts of a run that more than one file here needs. Inside check/ only.
 */
#ifndef PGM_CHECK_RUN_H
#define PGM_CHECK_RUN_H

#include "check/check.h"
#include "util/hash.h"

/* What is known of the server before the first check. */
struct pgm_check_server {
	int major;
	bool standby;
	const char *user;	 /* quoted */
	struct pgm_map schemas;	 /* extension -> its schema, quoted */
	struct pgm_map columns;	 /* "relation.column" -> any: it exists */
	struct pgm_map unusable; /* extension's schema or relation that we may not read -> the GRANT */
};

bool pgm_check_server_read(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_check *checks,
			   size_t count, struct pgm_check_server *server,
			   struct pgm_error *err) PGM_MUST_CHECK;

/* Whether this server can run the check; where it cannot, the result's reason and hint say why. */
bool pgm_check_server_suits(struct pgm_arena *arena, const struct pgm_check_server *server,
			    const struct pgm_check *check, struct pgm_check_result *result);

/* Turn the rows of a check, each a JSON object, into findings. Fails with PGM_ERR_STATE for a row that is
 * not as check.h says: a bug of the check. */
bool pgm_check_read_rows(struct pgm_arena *arena, const struct pgm_rows *rows,
			 const struct pgm_check_options *options, struct pgm_check_result *result,
			 struct pgm_error *err) PGM_MUST_CHECK;

bool pgm_check_ignored(const struct pgm_check_options *options, const char *key);

/* Worst first; for qsort() over findings and over pointers to them. */
int pgm_check_compare_pointers(const void *a, const void *b);

#endif
