/*
 * The watches of all targets of a run, in step with it: started before it, taken from each second, ended
 * after it. One thread.
 */
#ifndef PGM_LOAD_WATCHING_H
#define PGM_LOAD_WATCHING_H

#include "load/watch.h"

struct pgm_load_watching {
	struct pgm_load_watch *watches[PGM_LOAD_TARGETS_MAX];
	size_t count;
	double began_ms; /* of pgm_clock_ms(); infinite until the run has begun */
};

struct pgm_load_watched {
	const struct pgm_conn_options *connection; /* of the load */
	bool pooled;				   /* it is a pooler's */
	const struct pgm_conn_options *server;	   /* NULL: it is watched through the target itself */
	const struct pgm_conn_options *console; /* NULL: a pooler's is looked for in its place, as its user */
};

/* As many as the result has targets. Fills what the watches know of them. */
void pgm_load_watching_start(struct pgm_arena *arena, const struct pgm_load_watched *watched, size_t count,
			     struct pgm_load_result *result, struct pgm_load_watching *watching);

/* The run begins at that time of pgm_clock_ms(). */
void pgm_load_watching_begin(struct pgm_load_watching *watching, double clock_ms);

/* A second of that target has ended; never waits. */
void pgm_load_watching_take(struct pgm_load_watching *watching, size_t target);

/* "hits 99.2 %, 3 wait for Lock, pool queue 12": of the last look at a target; "" where there is none. */
char *pgm_load_watching_text(struct pgm_arena *arena, const struct pgm_load_watching *watching,
			     size_t target);

/* After the run's sessions were closed. */
void pgm_load_watching_end(struct pgm_load_watching *watching, struct pgm_load_result *result);

#endif
