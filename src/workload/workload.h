/*
 * The Workload: what an application asks of a database, as Statements that differ by more than their
 * values. Everything lives in the arena it was read into.
 */
#ifndef PGM_WORKLOAD_WORKLOAD_H
#define PGM_WORKLOAD_WORKLOAD_H

#include "pg/conn.h"
#include "sql/shape.h"
#include "util/vec.h"

#define PGM_WORKLOAD_SAMPLES_MAX 5	      /* texts with values that we keep of one statement */
#define PGM_WORKLOAD_TEXT_MAX	 65536	      /* bytes of a statement; longer ones are left out */
#define PGM_WORKLOAD_DEFAULT_TOP 500	      /* statements, by total time */
#define PGM_WORKLOAD_FILE_MAX	 (256u << 20) /* bytes of a workload file */

struct pgm_statement {
	const char *fingerprint;
	const char *kin; /* that of all its values, where one value was set apart */
	PGM_VEC(const char *)
	ids;		      /* what the source calls it: queryid, the pooler's fingerprint; may be none */
	const char *text;     /* with $1, $2... where the source has no values */
	const char **samples; /* the same with values, as they were run; may be none */
	size_t sample_count;
	struct pgm_shape shape; /* of the first sample, else of the text */
	double calls;
	double total_ms; /* 0: the source does not tell */
	double rows;	 /* returned or changed, by all calls */
};

struct pgm_workload {
	const char *source;		  /* "pg_stat_statements", "queries.sql" */
	struct pgm_statement *statements; /* by total time, then calls, largest first */
	size_t statement_count;
	size_t left_out_count;	      /* that could not be understood */
	const char *left_out_example; /* why the first of them was not */
	size_t hidden_count;	      /* of other users, whose text the role may not read */
	bool live;		      /* statistics of the server cover the same time */
};

/*
 * From pg_stat_statements, of the session's database: the top statements by total time. Fails with
 * PGM_ERR_STATE and a hint where it is not installed or not loaded.
 */
bool pgm_workload_from_server(struct pgm_arena *arena, struct pgm_conn *conn, size_t top,
			      struct pgm_workload *workload, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * From a file of SQL statements, each ended by a semicolon. A statement counts once for each time that it is
 * there; a comment "-- calls: N" before it makes it count N times. Or from the profile of a pooler.
 */
bool pgm_workload_from_file(struct pgm_arena *arena, const char *path, struct pgm_workload *workload,
			    struct pgm_error *err) PGM_MUST_CHECK;

/*
 * From the text of a pooler's profile (docs/profile.md). A statement with a dominant value at some place is
 * two: that value's calls, and the rest.
 */
bool pgm_workload_from_profile(struct pgm_arena *arena, const char *name, const char *text,
			       struct pgm_workload *workload, struct pgm_error *err) PGM_MUST_CHECK;

/* Either of them from memory: a profile is JSON. */
bool pgm_workload_from_text(struct pgm_arena *arena, const char *name, const char *text,
			    struct pgm_workload *workload, struct pgm_error *err) PGM_MUST_CHECK;

/* Whether somebody who says this means it: its fingerprint, or what the source calls it. */
bool pgm_statement_is(const struct pgm_statement *statement, const char *id);

#endif
