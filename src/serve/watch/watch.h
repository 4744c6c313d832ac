/*
 * The watch: a few threads that look at any number of databases, each on its timetable over one session of
 * its own, and put what they saw into snapshots. Nobody waits for a database but these threads: who asks
 * gets the latest snapshot from memory.
 *
 * Threads: everything here may be called by any thread, unless it says otherwise. A snapshot never changes
 * once it can be seen; it is counted: pgm_watch_latest() gives a reference that pgm_snapshot_release() gives
 * back, pgm_snapshot_keep() one more.
 *
 * Looking never blocks: statements read catalogs and statistics alone, under a statement_timeout and a
 * lock_timeout, and bear the mark of our own (pg/conn.h). What one cannot do (no right, an old version, a
 * timeout) is left out and named in pg_scrape_collector_success; the rest goes on.
 */
#ifndef PGM_SERVE_WATCH_H
#define PGM_SERVE_WATCH_H

#include "serve/watch/metric.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pgm_watch;

/* ---- what to watch ---- */

#define PGM_WATCH_TARGETS_MAX 1001
#define PGM_WATCH_NAME_MAX    64 /* bytes of a target's name with its NUL */

/* Texts are copied. */
struct pgm_watch_target_options {
	const char *name;	   /* unique; NULL: the database's name, made unique */
	const char *conninfo;	   /* as psql's: never shown, never logged */
	const char *pool_database; /* what the pooler of this process calls it; NULL: not pooled here */
};

/* 0 means the default. */
struct pgm_watch_options {
	int64_t fast_ms;	   /* 10 s: activity, locks, the database's counters, replication */
	int64_t statements_ms;	   /* 30 s: pg_stat_statements, the pooler's profile */
	int64_t slow_ms;	   /* 60 s: tables, indexes, sizes */
	int64_t timeout_ms;	   /* 5 s: of one statement of ours */
	int64_t connect_ms;	   /* 5 s */
	size_t threads;		   /* 4, or fewer where there are fewer targets */
	size_t series_max;	   /* 2,000: of /metrics, for each target */
	size_t top_tables;	   /* 30 */
	size_t top_indexes;	   /* 30 */
	size_t top_statements;	   /* 20 */
	const char *ledger_schema; /* "pgmend": what is ours and left out */
};

/* What is known of a target; texts are the caller's arena's. */
enum pgm_target_state {
	PGM_TARGET_NEW,	 /* not yet looked at */
	PGM_TARGET_UP,	 /* the last look went well, perhaps without some collectors */
	PGM_TARGET_DOWN, /* why says it; looked for again at next_ms, later and later */
	PGM_TARGET_GONE, /* no longer watched: for good */
};

enum pgm_target_kind {
	PGM_TARGET_DATABASE,
	PGM_TARGET_POOL, /* the pooler of this process: "pool" */
};

struct pgm_target {
	size_t index; /* 0..pgm_watch_target_count() - 1 */
	enum pgm_target_kind kind;
	const char *name;
	const char *host, *port, *database, *user; /* of the session; "" where not yet known */
	enum pgm_target_state state;
	const char *why; /* "" or what failed, without a password */
	int version;	 /* server_version_num; 0: not yet known */
	bool standby;
	int64_t since_ms;	/* when its state last changed; ms since 1970 */
	int64_t seen_ms;	/* of the last snapshot that went well; 0: none */
	uint64_t looks, errors; /* rounds; those that failed as a whole */
	uint64_t collector_errors;
};

/* ---- what was seen ---- */

/* What happened since the snapshot before: counters are not to be compared across it. */
enum pgm_snapshot_mark {
	PGM_MARK_FIRST = 1 << 0,      /* there is none before */
	PGM_MARK_RESTART = 1 << 1,    /* the server started anew, or recovered from a crash */
	PGM_MARK_UPGRADE = 1 << 2,    /* it is of another version now */
	PGM_MARK_ROLE = 1 << 3,	      /* a standby became a primary, or the other way round */
	PGM_MARK_RESET = 1 << 4,      /* the database's statistics were reset */
	PGM_MARK_STATEMENTS = 1 << 5, /* pg_stat_statements was reset */
	PGM_MARK_GAP = 1 << 6,	      /* it was away, or nobody looked, for more than three rounds */
	PGM_MARK_CLOCK = 1 << 7,      /* this machine's clock jumped */
	PGM_MARK_POOL = 1 << 8,	      /* the pooler's profile began anew */
};

/* What one collector saw. Shared by the snapshots from this look to its next. */
struct pgm_samples {
	enum pgm_collector_id collector;
	int64_t wall_ms; /* when it was seen: ms since 1970 */
	double mono_ms;
	size_t count;
	const struct pgm_sample *items; /* in the order of their metrics in the table */
};

struct pgm_statement_row {
	uint64_t id;	  /* queryid, or the pooler's fingerprint: as JSON a string of the signed number */
	const char *text; /* with $1...; "" where it is not (yet) known */
	const char *user; /* "" where it is of several, or not known */
	/* all of these only grow, but for resets */
	double calls, rows, total_ms;
	double errors;				     /* the pooler's alone */
	double hit_blocks, read_blocks, temp_blocks; /* the server's alone, as are the rest */
	double read_ms, write_ms;
	double bursts;			       /* N+1: the pooler's alone */
	const struct pgm_histogram *histogram; /* of server time since the begin; NULL: not known */
};

struct pgm_statements {
	int64_t wall_ms;
	double mono_ms;
	int64_t since_ms; /* begin of the counters, where it is known; else 0 */
	size_t count;
	const struct pgm_statement_row *rows; /* the most total time first */
	bool cut;			      /* there are more than are here */
};

/* Tables and indexes of the last look at them; the largest and the most used first, bounded. */
struct pgm_table_row {
	const char *schema, *name;
	uint32_t oid;
	char kind; /* r, m, p */
	double live_rows, dead_rows, modified_since_analyze;
	double seq_scans, seq_rows, idx_scans, idx_rows, inserts, updates, deletes, hot_updates;
	double heap_read, heap_hit, idx_read, idx_hit;
	double table_bytes, index_bytes; /* by the catalog's pages, or exact where sized */
	bool sized;
	int64_t last_vacuum_s, last_autovacuum_s, last_analyze_s, last_autoanalyze_s; /* 0: never */
	double vacuums, autovacuums, analyzes, autoanalyzes;
	double frozen_age; /* transactions */
	double vacuum_due; /* dead rows through the threshold of autovacuum: 1 is due */
};

struct pgm_index_row {
	const char *schema, *table, *name;
	uint32_t oid;
	double scans, rows_read, rows_fetched, read_blocks, hit_blocks, bytes;
	int64_t last_scan_s; /* 16 and later; 0: never or not known */
	bool valid, unique, primary, constraint;
	const char *method;
};

struct pgm_objects {
	int64_t wall_ms, indexes_wall_ms; /* indexes: of an earlier look where this one could not read them */
	size_t table_count, index_count;
	size_t tables_total, indexes_total; /* of the database */
	const struct pgm_table_row *tables;
	const struct pgm_index_row *indexes;
};

struct pgm_sessions_summary {
	int total, active, idle, idle_in_transaction, waiting_for_lock, max_connections;
	double longest_query_s, longest_transaction_s, longest_idle_in_transaction_s, longest_wait_s;
};

struct pgm_snapshot {
	struct pgm_target target; /* as it was then */
	uint64_t number;	  /* 1, 2... of this target */
	int64_t wall_ms;	  /* ms since 1970 */
	double mono_ms;		  /* pgm_clock_ms(), when the look began */
	unsigned marks;		  /* enum pgm_snapshot_mark */
	bool up;		  /* false: there is nothing below but pg_up, pgbouncer_up and their like */
	/* by collector, NULL where it gave nothing of late; fresh: seen in this round, else taken over from
	 * before */
	const struct pgm_samples *samples[PGM_COLLECTORS];
	bool fresh[PGM_COLLECTORS];
	/* where that is because it has failed for several of its periods: when it last gave something; else 0
	 */
	int64_t stale_ms[PGM_COLLECTORS];
	/* what it had seen in the look before, for rates; NULL where that is not to be compared */
	const struct pgm_samples *before[PGM_COLLECTORS];
	const struct pgm_statements *statements;     /* of pg_stat_statements; NULL: none */
	const struct pgm_statements *profile;	     /* of the pooler; NULL: none */
	const struct pgm_statements *profile_before; /* as before[] */
	/* NULL: not yet looked at. Kept where stale_ms[PGM_COLLECT_TABLES] says that they are old */
	const struct pgm_objects *objects;
	bool fresh_statements, fresh_profile, fresh_objects;
	struct pgm_sessions_summary sessions;
};

/* ---- the watch ---- */

struct pgm_watch *pgm_watch_new(const struct pgm_watch_options *options,
				struct pgm_error *err) PGM_MUST_CHECK;

/* Also after the start. PGM_ERR_USAGE: a name twice, a connection string that cannot be read, too many. */
bool pgm_watch_add(struct pgm_watch *watch, const struct pgm_watch_target_options *target,
		   struct pgm_error *err) PGM_MUST_CHECK;
/* Watch it no longer. A look at it that is under way comes to nothing. False: there is none of that name. */
bool pgm_watch_remove(struct pgm_watch *watch, const char *name);
/* The pooler that this process runs (or will run), as the target "pool". Before pgm_watch_start(). */
bool pgm_watch_add_pool(struct pgm_watch *watch, struct pgm_error *err) PGM_MUST_CHECK;

/* Called on a watcher's thread after each look, for different targets at the same time. It may keep the
 * snapshot (pgm_snapshot_keep), and is not to wait for anything. Before pgm_watch_start(). */
typedef void pgm_watch_callback(void *data, const struct pgm_snapshot *snapshot);
bool pgm_watch_subscribe(struct pgm_watch *watch, pgm_watch_callback *callback, void *data);

bool pgm_watch_start(struct pgm_watch *watch, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_watch_free(struct pgm_watch *watch); /* NULL is fine. Stops first: at most a statement's timeout */

/* With those that are gone, for an index is never given anew. -1: there is none of that name. */
size_t pgm_watch_target_count(struct pgm_watch *watch);
long pgm_watch_find(struct pgm_watch *watch, const char *name);
struct pgm_target pgm_watch_target(struct pgm_watch *watch, size_t index, struct pgm_arena *arena);

/* Look at a target as soon as may be, whatever its timetable (after a change of the database). */
void pgm_watch_hurry(struct pgm_watch *watch, size_t index);

/* The last snapshot of a target; NULL: none yet. */
const struct pgm_snapshot *pgm_watch_latest(struct pgm_watch *watch, size_t index);
const struct pgm_snapshot *pgm_snapshot_keep(const struct pgm_snapshot *snapshot);
void pgm_snapshot_release(const struct pgm_snapshot *snapshot); /* NULL is fine */

/* The value of the first sample of a metric whose labels are these ("datname=app,mode=x", or NULL: any);
 * otherwise where there is none. */
double pgm_snapshot_value(const struct pgm_snapshot *snapshot, const char *metric, const char *labels,
			  double otherwise);
/* What a counter grew by in a second, between its collector's last two looks; NAN where that is not known. */
double pgm_snapshot_rate(const struct pgm_snapshot *snapshot, const char *metric, const char *labels);
/* Call visit for each sample (fresh_only: of this round alone). */
void pgm_snapshot_visit(const struct pgm_snapshot *snapshot, bool fresh_only,
			void (*visit)(void *data, const struct pgm_sample *sample, int64_t wall_ms),
			void *data);

/* ---- what other parts of the process show on /metrics ---- */

/* Called for each scrape, on an HTTP thread; is to call pgm_self_add() and not to wait. At most 16. */
struct pgm_self_samples;
typedef void pgm_self_callback(void *data, struct pgm_self_samples *samples);
bool pgm_watch_self(struct pgm_watch *watch, pgm_self_callback *callback, void *data);
/* labels: values in the order of the metric's labels, copied. A name that is not in the table is a bug. */
void pgm_self_add(struct pgm_self_samples *samples, const char *metric, const char *const *labels,
		  double value);

/* The whole of /metrics, malloc'ed; NULL: out of memory. open_metrics: OpenMetrics 1.0, else text 0.0.4. */
char *pgm_watch_exposition(struct pgm_watch *watch, bool open_metrics, size_t *length);

#endif
