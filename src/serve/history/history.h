/*
 * What the watched databases looked like before now: one SQLite file (WAL), written by one thread of its own
 * and bounded in size. Metrics are kept every 10 s for 2 days, a minute for 14 days and an hour for 400 days;
 * what is known of single relations by the hour alone. Statements are kept by the minute for 2 days and by
 * the hour for 60 days. Where that does not fit into the limit, the oldest of the finest goes first.
 *
 * Counters are kept as rates a second, taken over the monotonic clock; after a reset of statistics or a
 * restart of the server there is a gap that says so. Time in the file never runs backwards by small steps of
 * the clock; nothing is deleted for its age while the clock cannot be trusted.
 *
 * A history belongs to the process that opened it: a second one on the same file is refused. Any thread may
 * call any function here. A full disk, a file at its limit or a file that breaks pauses the history: what
 * comes is dropped and counted, pgm_history_state() says why, and writing is tried again every 30 s.
 *
 * Results live in the caller's arena.
 */
#ifndef PGM_SERVE_HISTORY_HISTORY_H
#define PGM_SERVE_HISTORY_HISTORY_H

#include "util/arena.h"
#include "util/error.h"

#include <stddef.h>
#include <stdint.h>

struct pgm_history;
struct pgm_snapshot; /* watch/watch.h */

#define PGM_HISTORY_LIMIT_DEFAULT_BYTES ((int64_t)1 << 30)
#define PGM_HISTORY_LIMIT_MIN_BYTES	((int64_t)8 << 20)
#define PGM_HISTORY_QUEUE_MAX		1024  /* snapshots that wait for the writer; more are dropped */
#define PGM_HISTORY_SERIES_MAX		65536 /* in a file; more are not kept, and counted */
#define PGM_HISTORY_POINTS_MAX		2000  /* of one series in an answer */

/*
 * The file is made (mode 0600) where there is none. Fails with PGM_ERR_STATE where another process writes to
 * it, it is not a history, a newer pgmend wrote it or it is damaged (it is never moved or replaced: the hint
 * says what to do), and with PGM_ERR_SYSTEM where it can't be made.
 */
struct pgm_history *pgm_history_open(const char *path, int64_t limit_bytes,
				     struct pgm_error *err) PGM_MUST_CHECK;
void pgm_history_close(struct pgm_history *history); /* writes what waits first; NULL is fine */

/* Have a snapshot written. Takes a reference of its own; never waits. */
void pgm_history_put(struct pgm_history *history, const struct pgm_snapshot *snapshot);

/* Wait until all that was put before is written or dropped. */
void pgm_history_flush(struct pgm_history *history);
/* Where it is paused, try again with the next snapshot. */
void pgm_history_retry(struct pgm_history *history);

struct pgm_history_state {
	bool paused;
	char why[256]; /* it is paused, in words; "" */
	int64_t file_bytes, limit_bytes;
	uint64_t written, dropped; /* snapshots, since the start */
	uint64_t series_left_out;  /* samples of series beyond a limit */
	size_t waiting;
};
void pgm_history_state(struct pgm_history *history, struct pgm_history_state *state);

/* ---- metrics ---- */

struct pgm_history_point {
	int64_t at_ms;	/* the begin of the step, milliseconds since 1970 */
	uint32_t count; /* samples in it */
	bool reset;	/* the counter or its server began anew */
	double min, avg, max, last;
};

struct pgm_history_series {
	const char *labels;		  /* 'datname="shop",state="active"'; "" */
	bool rate;			  /* a counter: values are changes a second */
	struct pgm_history_point *points; /* by time; steps without a sample have none */
	size_t count;
};

struct pgm_history_range {
	const char *target;
	const char *metric;
	const char *labels; /* only series with this label text, whole or as 'name="value"'; NULL: all */
	int64_t from_ms, to_ms;
	int64_t step_ms;   /* 0: chosen for about 300 points. Raised where it gives too many */
	size_t series_max; /* 0: 50 */
};

struct pgm_history_answer {
	int64_t step_ms;
	struct pgm_history_series *series; /* the greatest last value first */
	size_t count;
	size_t left_out; /* series beyond series_max */
};

bool pgm_history_range(struct pgm_history *history, const struct pgm_history_range *range,
		       struct pgm_arena *arena, struct pgm_history_answer *answer,
		       struct pgm_error *err) PGM_MUST_CHECK;

/* ---- statements ---- */

enum pgm_history_order {
	PGM_HISTORY_BY_TIME, /* in all */
	PGM_HISTORY_BY_CALLS,
	PGM_HISTORY_BY_MEAN,
	PGM_HISTORY_BY_P95,
	PGM_HISTORY_BY_P99,
	PGM_HISTORY_BY_ROWS,
	PGM_HISTORY_BY_READS,
	PGM_HISTORY_BY_ERRORS,
};

enum pgm_history_source {
	PGM_HISTORY_ANY,    /* the pooler's profile where it saw statements in the range, else the server's */
	PGM_HISTORY_SERVER, /* pg_stat_statements */
	PGM_HISTORY_POOL,
};

#define PGM_HISTORY_SPARKS 30

struct pgm_history_statement {
	const char *id;	   /* the fingerprint or query id, in text: JSON numbers cannot hold it */
	const char *query; /* "" in the row of all others */
	const char *user;
	bool others; /* statements beyond the most expensive of their interval, in one row */
	uint64_t calls, errors, rows;
	double total_ms, mean_ms, share; /* of the range's total time, 0 to 1 */
	double blocks_hit, blocks_read, blocks_temp;
	uint64_t bursts; /* of N+1 calls */
	bool percentiles;
	double p50_ms, p95_ms, p99_ms, max_ms;
	const struct pgm_histogram *histogram; /* where there are percentiles; else NULL */
	double spark_ms[PGM_HISTORY_SPARKS];   /* the mean over the range, in equal parts; NaN: no call */
};

struct pgm_history_statements {
	const char *target;
	enum pgm_history_source source;
	int64_t from_ms, to_ms;
	enum pgm_history_order order;
	size_t limit; /* 0: 50 */
};

struct pgm_history_statement_list {
	struct pgm_history_statement *items;
	size_t count;
	size_t all; /* how many there are in the range */
	uint64_t calls;
	double total_ms;
	enum pgm_history_source source;
	int64_t step_ms; /* the intervals that were added up: the range is right to within one */
};

bool pgm_history_statements(struct pgm_history *history, const struct pgm_history_statements *wanted,
			    struct pgm_arena *arena, struct pgm_history_statement_list *list,
			    struct pgm_error *err) PGM_MUST_CHECK;

struct pgm_history_statement_point {
	int64_t at_ms;
	uint64_t calls;
	double total_ms, mean_ms;
	bool percentiles;
	double p50_ms, p95_ms, p99_ms;
};

/* One of them, in all and over time. *statement NULL: not seen in that range. */
bool pgm_history_statement(struct pgm_history *history, const struct pgm_history_statements *wanted,
			   const char *id, struct pgm_arena *arena, struct pgm_history_statement **statement,
			   struct pgm_history_statement_point **points, size_t *point_count,
			   struct pgm_error *err) PGM_MUST_CHECK;

/* ---- records of other parts: alerts, deliveries, jobs, chores ---- */

#define PGM_HISTORY_RECORDS_MAX	     10000 /* of a kind; the oldest go */
#define PGM_HISTORY_RECORD_MAX_BYTES (256 << 10)

struct pgm_history_record {
	const char *id;
	int64_t at_ms;
	const char *body; /* JSON, or whatever the kind's owner writes */
};

/* Written to disk when they return. They replace an older record of that id. PGM_ERR_SYSTEM. */
bool pgm_history_record_put(struct pgm_history *history, const char *kind, const char *id, int64_t at_ms,
			    const char *body, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_history_record_delete(struct pgm_history *history, const char *kind, const char *id,
			       struct pgm_error *err) PGM_MUST_CHECK;

/* *record NULL: there is none. */
bool pgm_history_record_get(struct pgm_history *history, const char *kind, const char *id,
			    struct pgm_arena *arena, struct pgm_history_record **record,
			    struct pgm_error *err) PGM_MUST_CHECK;
/* The newest first; limit 0: all. */
bool pgm_history_record_list(struct pgm_history *history, const char *kind, size_t limit,
			     struct pgm_arena *arena, struct pgm_history_record **records, size_t *count,
			     struct pgm_error *err) PGM_MUST_CHECK;

#endif
