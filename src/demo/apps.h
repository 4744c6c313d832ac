/*
 * The demo applications in a database: their tables and rows, and their traffic. The SQL is in demo/, and
 * compiled in.
 */
#ifndef PGM_DEMO_APPS_H
#define PGM_DEMO_APPS_H

#include "demo/workload.h"
#include "pg/conn.h"

#define PGM_DEMO_DATABASE "demo"
#define PGM_DEMO_SEED	  20240229 /* of all draws */

extern const char *const pgm_demo_apps[]; /* NULL ends it */

/* Called about five times a second while something runs; fraction is of all of it. */
typedef void pgm_demo_progress(void *arg, double fraction, const char *detail);

/* Another session with the demo's database. */
typedef struct pgm_conn *pgm_demo_connect(void *arg, struct pgm_error *err);

/* Make the tables and rows of every application, two applications at a time. */
bool pgm_demo_load(pgm_demo_connect *connect, void *connect_arg, double scale, pgm_demo_progress *progress,
		   void *progress_arg, struct pgm_error *err) PGM_MUST_CHECK;

struct pgm_demo_size {
	const char *app;
	int64_t tables;
	double rows; /* as VACUUM counted them */
	double bytes;
};

/* One for each application, in their order. */
bool pgm_demo_sizes(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_demo_size **sizes,
		    struct pgm_error *err) PGM_MUST_CHECK;

/* The statements of all applications. */
bool pgm_demo_statements(struct pgm_arena *arena, struct pgm_demo_workload *workload,
			 struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Run each statement as often as one pass says, statement by statement in turns, as their own applications
 * would: autocommitted and without our marker. pass (from 0) makes other draws.
 */
bool pgm_demo_run_pass(struct pgm_conn *conn, const struct pgm_demo_workload *workload, int pass,
		       pgm_demo_progress *progress, void *progress_arg, struct pgm_error *err) PGM_MUST_CHECK;

#endif
