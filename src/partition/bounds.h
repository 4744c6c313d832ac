/*
 * Where one partition ends and the next begins. Bounds are computed on the server, in a stated time zone, so
 * that months of 28 to 31 days, days of 23 or 25 hours and midnights that do not exist are its matter; each
 * bound is the text of a literal that means the same in any session (timestamptz: with "+00").
 *
 * Plain data in the caller's arena.
 */
#ifndef PGM_PARTITION_BOUNDS_H
#define PGM_PARTITION_BOUNDS_H

#include "pg/conn.h"

enum pgm_key_kind {
	PGM_KEY_TIMESTAMPTZ,
	PGM_KEY_TIMESTAMP,
	PGM_KEY_DATE,
	PGM_KEY_INTEGER, /* smallint, integer, bigint */
};

/* How the key is cut into ranges. */
struct pgm_interval {
	enum pgm_key_kind kind;
	const char *type;     /* of the key, for casts: "timestamp with time zone", "bigint" */
	const char *unit;     /* day, week, month, quarter, year; "integer" where the key is one */
	int64_t step;	      /* of an integer key; else 1 */
	const char *timezone; /* "UTC"; also set where the kind needs none */
};

/* From (inclusive) to (exclusive); NULL: no bound there (MINVALUE, MAXVALUE). */
struct pgm_range {
	const char *from;
	const char *to;
	const char *local;  /* the lower bound as people of the time zone read it; integers: the bound */
	const char *suffix; /* "p20261201", for the partition's name */
};

#define PGM_RANGES_MAX 10000

/*
 * Read --interval: month, week... or N for an integer key; type as format_type() prints it. PGM_ERR_USAGE
 * where they do not fit, PGM_ERR_STATE where no such key can be cut.
 */
bool pgm_interval_parse(struct pgm_arena *arena, const char *text, const char *type, const char *timezone,
			struct pgm_interval *interval, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * The bound below which everything there is stays together: the first one that is at least a margin in the
 * future and above newest (the greatest key there is; NULL: none). asked: NULL for that, "tomorrow", or a
 * value, taken as it is. *near: the bound is less than an hour (integers: less than a tenth of a step) away.
 */
bool pgm_bounds_cut(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_interval *interval,
		    const char *asked, const char *newest, const char **cut, bool *near,
		    struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Ranges from a bound on, each up to the next whole step: until the bound (the last range ends there), or,
 * where until is NULL, count of them.
 */
bool pgm_bounds_ranges(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_interval *interval,
		       const char *from, const char *until, size_t count, struct pgm_range **ranges,
		       size_t *range_count, struct pgm_error *err) PGM_MUST_CHECK;

/* The whole step that a value lies in begins here: what a table's history starts from. */
bool pgm_bounds_floor(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_interval *interval,
		      const char *value, const char **bound, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Of ranges without gaps the last keep (at least 1) stay as they are, and those before them become one, with
 * the suffix "old". keep -1: nothing changes. True where some did.
 */
bool pgm_bounds_keep(struct pgm_range *ranges, size_t *count, int64_t keep);

/* table_suffix, cut so that it fits into an identifier. */
char *pgm_bounds_name(struct pgm_arena *arena, const char *table, const char *suffix);

/* "FOR VALUES FROM (...) TO (...)" */
char *pgm_bounds_for_values(struct pgm_arena *arena, const struct pgm_range *range);

#endif
