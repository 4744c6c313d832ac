/*
 * The line that the log gets for a slow query. Pure: into a buffer of the caller's.
 */
#ifndef PGM_POOL_SLOWLOG_H
#define PGM_POOL_SLOWLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PGM_SLOWLOG_MIN 512 /* a buffer must be at least so large; 4 kB show nearly every query whole */

struct pgm_slow_query {
	int64_t unix_us;      /* when it ended; in the JSON line alone, a log has its own time */
	const char *database; /* these four may be NULL */
	const char *user;
	const char *client;	 /* "10.0.0.7:41234" */
	const char *application; /* application_name */
	uint64_t fingerprint;
	uint64_t wait_us, server_us;
	uint64_t rows, bytes_out;
	const char *sqlstate; /* NULL or "": it did not fail */
	const char *sql;
	size_t sql_length;
	bool standard_strings;
	/* with values (log_values): the text as it came, with the parameters in it where they are known */
	bool values;
	const uint8_t *bind; /* as in struct pgm_profile_call; NULL: none */
	size_t bind_length;
	const uint32_t *parameter_types;
	size_t parameter_type_count;
};

/*
 * One line without a newline, NUL-terminated; returns its length. What clients chose is escaped, so that it
 * is one line of printable text whatever they send; names are cut at 63 bytes, and the query at what fits.
 * size is at least PGM_SLOWLOG_MIN.
 */
size_t pgm_slowlog_text(const struct pgm_slow_query *query, char *out, size_t size);
size_t pgm_slowlog_json(const struct pgm_slow_query *query, char *out, size_t size); /* always whole JSON */

#endif
