/*
 * Where a run's scripts come from: files and pgbench's own scripts, or the statements of a Workload, each of
 * which becomes a script of its own with its calls as weight. And what of it may run: without writes only
 * what reads.
 */
#ifndef PGM_LOAD_SOURCE_H
#define PGM_LOAD_SOURCE_H

#include "load/run.h"
#include "workload/workload.h"

#define PGM_LOAD_SCRIPT_MAX  ((size_t)4 << 20) /* bytes of a script's file */
#define PGM_LOAD_SCRIPTS_MAX 1000

/* "FILE[@WEIGHT]" and "NAME[@WEIGHT]". PGM_ERR_USAGE or PGM_ERR_INPUT. */
bool pgm_load_add_file(struct pgm_scripts *scripts, const char *argument,
		       struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_load_add_builtin(struct pgm_scripts *scripts, const char *argument,
			  struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Mark the commands that write. Fails with PGM_ERR_USAGE and names the first of them where they are not
 * allowed; the server refuses what cannot be seen here (a function that writes).
 */
bool pgm_load_check_writes(struct pgm_scripts *scripts, bool allowed, struct pgm_error *err) PGM_MUST_CHECK;

/* Whether a statement may change something, or cannot be understood and might. */
bool pgm_load_statement_writes(const char *sql);

struct pgm_load_left_out {
	uint32_t count;
	const char *why; /* the first of them was; "" */
};

/*
 * Values come from the samples of the Workload; else from the statistics of the columns that they are
 * compared with. What writes (unless it is allowed), cannot be planned or has a parameter without a value is
 * left out. server: where the catalog may be read on a session that is ours alone; NULL: nowhere.
 */
bool pgm_load_add_workload(struct pgm_scripts *scripts, const struct pgm_workload *workload,
			   const struct pgm_load_connect *target, const struct pgm_conn_options *server,
			   bool writes, bool simple, struct pgm_load_left_out *left_out,
			   struct pgm_error *err) PGM_MUST_CHECK;

#endif
