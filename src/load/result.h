/*
 * What a load run found: the targets, and for each of them every second, every statement, what the server
 * and the pooler said meanwhile, and the verdicts. Made by the run (load/run.h) or read from a file that an
 * earlier one wrote; reports read it and change nothing. Everything lives in one arena and belongs to one
 * thread. No text in it ever holds a password.
 *
 * One pass of a script is a transaction here, as in pgbench, whether or not the script says BEGIN. Times are
 * milliseconds unless their name says otherwise. A transaction's latency runs from the moment it was due: a
 * wait for a free session or for the generator itself is part of it.
 */
#ifndef PGM_LOAD_RESULT_H
#define PGM_LOAD_RESULT_H

#include "util/arena.h"
#include "util/error.h"

#include <jansson.h>
#include <stdint.h>

#define PGM_LOAD_SCHEMA	       "pgmend.load/1" /* "schema" of the JSON */
#define PGM_LOAD_JSON_FLAGS    (JSON_COMPACT | JSON_REAL_PRECISION(12))
#define PGM_LOAD_TARGETS_MAX   4
#define PGM_LOAD_SQLSTATES_MAX 32 /* kinds of errors told apart; the rest counts as the last, "other" */

enum pgm_load_scenario {
	PGM_LOAD_STEADY,    /* so many users all the time */
	PGM_LOAD_SPIKE,	    /* from few to many users in a short time, and back */
	PGM_LOAD_ENDURANCE, /* steady, for long */
	PGM_LOAD_RAMP,	    /* more in steps until it breaks */
	PGM_LOAD_RATE,	    /* so many transactions a second */
	PGM_LOAD_SCENARIOS,
};
extern const char *const pgm_load_scenarios[PGM_LOAD_SCENARIOS]; /* "steady", "spike"... */

/* Values that fell into [from, to). Buckets are at most 1 % wide, in order, none is empty. */
struct pgm_load_bucket {
	double from_ms, to_ms;
	uint64_t count;
};

struct pgm_load_distribution {
	uint64_t count; /* 0: everything else is 0 too */
	double mean_ms, max_ms, p50_ms, p90_ms, p95_ms, p99_ms, p999_ms;
	struct pgm_load_bucket *buckets;
	size_t bucket_count;
};

/* SQLSTATE, or a word where no server said one: "refused" (no connection), "closed" (one was lost),
 * "script" (the script itself: an unset variable, no row for \gset), "unfinished" (due, but not done when the
 * run ended), "other". */
struct pgm_load_error {
	const char *code;
	uint64_t count;
	const char *message; /* of the first of them; "" in the seconds */
};

struct pgm_load_errors {
	struct pgm_load_error *items; /* the most frequent first */
	size_t count;
};

/* One second of one target; of an A/B run all seconds that were the target's, so at_s has gaps. */
struct pgm_load_second {
	double at_s;				   /* when it began, from the run's start */
	double length_s;			   /* 1, or what was left of a slice or the run */
	double rate;				   /* transactions a second that were meant to be due */
	uint32_t users;				   /* in play at its end */
	uint32_t sessions;			   /* connected at its end */
	uint64_t scheduled, started, done, failed; /* failed ones are not among done */
	uint64_t backlog;			   /* due and not begun, at its end */
	double p50_ms, p95_ms, p99_ms, max_ms;	   /* of those done in it; 0 where none was */
	struct pgm_load_errors errors;
};

/* One command of a script, or a statement of a workload. */
struct pgm_load_statement {
	const char *text; /* as it is written in the script or with $1, $2 */
	const char *script;
	bool writes;
	uint64_t done, failed, rows;
	struct pgm_load_distribution latency; /* from sent to answered */
};

struct pgm_load_script {
	const char *name; /* "select-only", a file's name, a fingerprint */
	double weight;	  /* share of the transactions, of 1 */
	uint64_t done, failed;
	struct pgm_load_distribution latency; /* from due to done */
};

/* ---- what the server and the pooler said, about once a second; load/watch.h fills it ---- */

struct pgm_load_wait {
	const char *type; /* "Lock", "IO"; "CPU" where a backend was active and waited for nothing */
	const char *event;
	double backends; /* that were found so, of the load's database; a mean where several looks are one */
};

struct pgm_load_sample {
	double at_s;
	bool has_server; /* what follows was read */
	uint32_t backends, active, waiting_for_locks, idle_in_transaction;
	struct pgm_load_wait *waits; /* the most frequent first */
	size_t wait_count;
	/* since the sample before; negative: not known */
	double blocks_hit, blocks_read, commits, rollbacks, temp_bytes, wal_bytes, deadlocks, checkpoints;
	bool has_pool; /* what follows is of SHOW POOLS, of all its rows for the load's database */
	uint32_t clients_active, clients_waiting, servers_active, servers_idle;
	uint32_t pool_size;  /* that its settings allow; 0: not known */
	double max_wait_ms;  /* of the oldest client in the queue */
	double mean_wait_ms; /* for a connection, of the transactions since the sample before; negative: not
				known */
	bool has_machine;    /* the server runs on this machine */
	double cpu_busy;     /* of all cores, 0 to 1, since the sample before */
	double server_busy;  /* cores that its processes used, since the sample before; negative: not known */
	double generator_busy; /* of one core, since the sample before: what this process used itself */
};

struct pgm_load_index {
	const char *schema, *table, *name;
	bool unique;	      /* it serves even where nothing reads it */
	uint64_t scans, rows; /* during the run */
	double size_bytes;
};

struct pgm_load_table {
	const char *schema, *name;
	uint64_t seq_scans, seq_rows, index_scans, inserted, updated, deleted; /* during the run */
	double size_bytes;
};

/* One step of a ramp, or all of another run. */
struct pgm_load_step {
	double from_s, to_s;
	uint32_t users; /* 0: a step of the rate */
	double rate;	/* wanted, transactions a second */
	double done_rate;
	double error_rate; /* of 1 */
	double p95_ms;
	bool held;	    /* the target kept up within the limits */
	const char *broken; /* why not: "p95 240 ms is above 100 ms"; "" where it held */
};

struct pgm_load_target {
	const char *name;     /* given as NAME=CONNINFO, else "a", "b" */
	const char *place;    /* "shop on localhost:6432 as app" */
	const char *protocol; /* "prepared", "extended", "simple" */
	const char *version;  /* of the server: "15.20"; "" where it was never reached */
	int max_connections;  /* 0: not known */
	const char *pooler;   /* what its console calls itself; "" where none was named */
	double length_s;      /* time that was this target's */

	uint64_t scheduled, started, done, failed, unfinished; /* unfinished count as failed too */
	uint64_t statements, rows;
	uint64_t connects, connects_failed, reconnects;
	const char *refusal; /* of the first connection that failed: "53300: sorry, too many..."; "" */
	uint32_t users_max, sessions_max;
	double error_rate;		      /* failed of done and failed, of 1 */
	double done_rate;		      /* transactions a second */
	struct pgm_load_distribution latency; /* from due to done */
	struct pgm_load_distribution service; /* from begun to done */
	struct pgm_load_distribution lag;     /* from due to begun: the queue on our side */
	struct pgm_load_distribution connecting;
	struct pgm_load_errors errors;

	struct pgm_load_second *seconds;
	size_t second_count;
	struct pgm_load_script *scripts;
	size_t script_count;
	struct pgm_load_statement *queries; /* the most total time first */
	size_t query_count;
	struct pgm_load_sample *samples;
	size_t sample_count;
	struct pgm_load_index *indexes; /* used in the run or not, the most scans first */
	size_t index_count;
	struct pgm_load_table *tables;
	size_t table_count;
	struct pgm_load_step *steps;
	size_t step_count;
	const char *watch_problem; /* why there are no samples; "" where there are */
};

struct pgm_load_verdict {
	const char *name;	 /* "p95", "error-rate", "throughput" */
	uint32_t target;	 /* its place among them */
	double wanted, measured; /* ms; of 1; transactions a second */
	bool held;
};

struct pgm_load_result {
	const char *program; /* "pgmend 0.1.0" */
	double began_unix_s; /* of the clock on the wall */
	double length_s;     /* as it was */
	double planned_s;    /* as it was asked for */
	bool interrupted;    /* Ctrl-C: what was measured until then */
	enum pgm_load_scenario scenario;
	const char *source;   /* "select-only", "load.sql", "pg_stat_statements", "profile.json" */
	bool writes;	      /* were allowed */
	uint32_t users;	      /* the most that were wanted */
	double rate;	      /* wanted, 0: users decide */
	double think_ms;      /* a user's mean pause between the times its transactions are due */
	const char *arrivals; /* "poisson", "even" */
	uint64_t seed;
	double slice_s;		   /* of an A/B run; 0: one target */
	uint32_t cores;		   /* of this machine */
	double generator_cpu_ms;   /* user and system time of this process */
	double generator_busy_max; /* of one core, in the busiest second: near 1 it was the limit itself */
	uint32_t left_out_count;   /* statements of the workload that were not run */
	const char *left_out_why;  /* of the first of them; "" */

	struct pgm_load_target *targets;
	size_t target_count;
	struct pgm_load_verdict *verdicts;
	size_t verdict_count;
};

/* Whether every verdict held; true without any. */
bool pgm_load_result_held(const struct pgm_load_result *result);

/* The whole as JSON (docs/load.md has its members); the caller owns it. */
json_t *pgm_load_result_json(const struct pgm_load_result *result);

/* Written to path.tmp first, then renamed. */
bool pgm_load_result_save(const struct pgm_load_result *result, const char *path,
			  struct pgm_error *err) PGM_MUST_CHECK;

/* From what pgm_load_result_json() made; PGM_ERR_INPUT for what is none, or of a later format. */
bool pgm_load_result_read(struct pgm_arena *arena, const char *path, struct pgm_load_result *result,
			  struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_load_result_from_text(struct pgm_arena *arena, const char *name, const char *text,
			       struct pgm_load_result *result, struct pgm_error *err) PGM_MUST_CHECK;

#endif
