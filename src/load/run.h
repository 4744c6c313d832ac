/*
 * A load run: sessions with one or several targets, transactions that are due at their times whatever the
 * targets do, and everything counted. One thread, which waits for sockets and the clock together; nothing
 * that a target does (refuses, restarts, drops a table, says nothing) ends a run, but is part of its result.
 */
#ifndef PGM_LOAD_RUN_H
#define PGM_LOAD_RUN_H

#include "load/result.h"
#include "load/schedule.h"
#include "load/script.h"
#include "pg/conn.h"

#define PGM_LOAD_USERS_MAX 20000
#define PGM_LOAD_BACKLOG_MAX                                                                            \
	4000000			 /* due and not begun, of one target; more fail at once as "unfinished" \
				  */
#define PGM_LOAD_RAMP_P95_MS 500 /* a step of a ramp holds below this, unless a limit is given */
#define PGM_LOAD_RAMP_ERRORS 0.01

enum pgm_load_protocol { PGM_LOAD_PREPARED, PGM_LOAD_EXTENDED, PGM_LOAD_SIMPLE, PGM_LOAD_PROTOCOLS };
extern const char *const pgm_load_protocols[PGM_LOAD_PROTOCOLS]; /* "prepared"... */

/* What one connection tells of a target before the run. */
struct pgm_load_probe {
	const char *place;   /* "shop on localhost:6432 as app" */
	const char *version; /* "15.20" */
	int max_connections;
	bool pooled;	     /* who answers is not who was connected to */
	bool guards_startup; /* of a pooler: takes options at the startup, so that read-only can be asked for
			      */
};

struct pgm_load_connect {
	const char *name; /* "a", "pool" */
	struct pgm_conn_options connection;
	struct pgm_load_probe probe;
};

struct pgm_load_define {
	size_t slot; /* of the scripts' variables */
	const char *value;
};

/* After each second. */
struct pgm_load_progress {
	double at_s, planned_s;
	size_t target;
	const char *target_name; /* "" where there is one */
	const struct pgm_load_second *second;
	uint64_t done, failed; /* of the target until now */
};

struct pgm_load_options {
	struct pgm_load_connect *targets;
	size_t target_count;
	enum pgm_load_protocol protocol;
	const struct pgm_scripts *scripts;
	const char *source;
	struct pgm_schedule schedule; /* each target has it whole */
	double slice_ms;	      /* where there are several targets */
	double drain_ms;	      /* so long what was due may still be done after a slice or the run */
	bool writes;
	uint64_t seed;
	const struct pgm_load_define *defines; /* variables that have a value from the begin on */
	size_t define_count;
	size_t scale_slot, client_slot;	       /* SIZE_MAX: no script uses them */
	double p95_ms, error_rate, throughput; /* limits; negative: none */
	/* Any may be NULL. begun: the first transaction may be due at clock_ms of pgm_clock_ms(). */
	void (*connecting)(void *arg, uint32_t connected, uint32_t wanted);
	void (*begun)(void *arg, double clock_ms);
	void (*progress)(void *arg, const struct pgm_load_progress *progress);
	void *arg;
};

/*
 * Connect once and look: fills target->probe. Fails where no connection comes about or the server is not what
 * we work with.
 */
bool pgm_load_probe(struct pgm_arena *arena, struct pgm_load_connect *target, bool writes,
		    struct pgm_error *err) PGM_MUST_CHECK;

/* The result's frame, with a target for each; what watches them may fill in its part before the run. */
void pgm_load_result_begin(struct pgm_arena *arena, const struct pgm_load_options *options,
			   struct pgm_load_result *result);

/*
 * Run until the end, or until pgm_interrupted(): then the result is what was measured so far. Fails only
 * where nothing could begin. Fills all of a result that pgm_load_result_begin() made, but what load/watch.h
 * fills.
 */
bool pgm_load_run(struct pgm_arena *arena, const struct pgm_load_options *options,
		  struct pgm_load_result *result, struct pgm_error *err) PGM_MUST_CHECK;

#endif
