/*
 * Checks: what they are, and a run of them over one database.
 *
 * To add a check: write checks/<id>.sql (its header comment is its descriptor, see descriptor.h; its columns
 * are those below), list it in checks/meson.build, write tests/checks/<id>.bad.sql and <id>.good.sql and
 * docs/checks/<id>.md. Nothing else: --list, --explain, reports and tests find it there.
 *
 * The SELECT of a check returns one row for each finding. Columns, by name, in any order:
 *
 *	schema, object	where; object is quoted and qualified, for people
 *	severity	info, warning, critical; NULL: the descriptor's; "unknown": this could not be
 *			judged, detail says why and remedy what would help
 *	detail		a sentence or two with figures: what is wrong and what it costs
 *	remedy		what to type, or to do
 *	ignore_key	stable over runs: "<id>:<object>..."
 *	impact		double: orders the findings of one severity, larger is worse
 *	evidence	a JSON object: figures and how they were got
 *
 * and, where a Change mends it:
 *
 *	change_kind	create_index, drop_index or sql; NULL: none
 *	change_relation, change_index	names, not quoted
 *	change_lock	the strongest lock it takes; NULL: that of its kind (sql: ACCESS EXCLUSIVE)
 *	sql_up, sql_down	statements, each ended by ";\n"
 *	size_bytes	what the Change adds; NULL: not known
 *
 * A drop_index may leave sql_down NULL: it is then read from the index when a Plan is asked for, because
 * pg_get_indexdef() takes a lock. Where another index takes the place of one to be dropped, the evidence
 * names it, quoted and qualified, as same_as or contained_in: a Plan never drops both.
 *
 * Looking never blocks: a check reads system catalogs and statistics only, and calls no function that opens a
 * relation (pg_table_size, pg_get_indexdef, pg_get_expr...). All checks of a run see one snapshot, in one
 * REPEATABLE READ READ ONLY transaction with a lock_timeout, each under a statement_timeout of its own. One
 * that fails is reported as not judged; the others go on.
 *
 * All results live in the arena given, except evidence, which pgm_check_report_done() releases. One thread at
 * a time. Nothing here prints.
 */
#ifndef PGM_CHECK_CHECK_H
#define PGM_CHECK_CHECK_H

#include "change/finding.h"
#include "change/plan.h"
#include "check/descriptor.h"
#include "pg/conn.h"

#include <jansson.h>

#define PGM_CHECK_SCHEMA       "pgmend.check/1" /* of the JSON; docs/check.md describes it */
#define PGM_CHECK_TIMEOUT_MS   10000		/* of each check, unless a caller sets another */
#define PGM_CHECK_MAX_FINDINGS 10000		/* of each check; more are counted, not kept */

/* Every check that was compiled in, ordered by id. Fails only where a descriptor is malformed: a bug. */
bool pgm_check_catalogue(struct pgm_arena *arena, const struct pgm_check **checks, size_t *count,
			 struct pgm_error *err) PGM_MUST_CHECK;

/* The check of that id; PGM_ERR_USAGE names the nearest where there is none. */
const struct pgm_check *pgm_check_find(const struct pgm_check *checks, size_t count, const char *id,
				       struct pgm_error *err) PGM_MUST_CHECK;

/* The check's SQL with its defaults as psql variables, so that psql runs it as it stands. */
const char *pgm_check_explain_sql(struct pgm_arena *arena, const struct pgm_check *check);

struct pgm_check_options {
	const char *const *only; /* ids or families; none: all */
	size_t only_count;
	const char *const *skip; /* ids or families */
	size_t skip_count;
	const char *const *ignore; /* ignore keys; "*" stands for any text */
	size_t ignore_count;
	const char *const *thresholds; /* "<id>.<name>=<number>" */
	size_t threshold_count;
	int64_t timeout_ms; /* 0: PGM_CHECK_TIMEOUT_MS */
};

/* Whether each id, family and threshold exists; PGM_ERR_USAGE names the nearest. pgm_check_run() asks too. */
bool pgm_check_options_valid(struct pgm_arena *arena, const struct pgm_check *checks, size_t count,
			     const struct pgm_check_options *options, struct pgm_error *err) PGM_MUST_CHECK;

enum pgm_check_status {
	PGM_CHECK_OK,	   /* judged, nothing found */
	PGM_CHECK_FOUND,   /* at least one finding that is not ignored */
	PGM_CHECK_SKIPPED, /* not judged, or not wholly: reason says why; there may be findings too */
};

struct pgm_check_result {
	const struct pgm_check *check;
	enum pgm_check_status status;
	struct pgm_finding *findings; /* worst first */
	size_t finding_count;
	size_t ignored;	    /* findings that an ignore key hid */
	size_t dropped;	    /* findings beyond PGM_CHECK_MAX_FINDINGS */
	const char *reason; /* NULL, or why it could not judge */
	const char *hint;   /* "", or what would help: the exact GRANT */
	double elapsed_ms;
};

struct pgm_check_report {
	const char *database;
	const char *server_version; /* "15.20" */
	const char *taken_at;	    /* ISO 8601, UTC */
	bool standby;
	struct pgm_check_result *results; /* ordered by id */
	size_t result_count;
	const struct pgm_finding **findings; /* of all checks, worst first */
	size_t finding_count;
	size_t counts[3]; /* by severity */
	size_t judged;	  /* checks whose status is not PGM_CHECK_SKIPPED */
	size_t ignored;
	double elapsed_ms;
};

/*
 * Run the checks chosen. Fails with PGM_ERR_USAGE for an unknown id, family or threshold, and where the
 * session is lost or the user stops it; a check that fails alone does not fail the run.
 */
bool pgm_check_run(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_check_options *options,
		   struct pgm_check_report *report, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_check_report_done(struct pgm_check_report *report);

/* A new reference to the report as JSON (PGM_CHECK_SCHEMA). */
json_t *pgm_check_report_json(const struct pgm_check_report *report);

/*
 * One Plan with the Changes of the findings: those that create, and with allow_drops those that drop, each
 * of them once. A drop whose index cannot be read without waiting for a lock is left out and counted.
 */
bool pgm_check_plan(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_check_report *report,
		    bool allow_drops, struct pgm_plan *plan, size_t *left_out,
		    struct pgm_error *err) PGM_MUST_CHECK;

/* Keys from the text of an ignore file: one a line; blank lines and those that begin with # do not count. */
size_t pgm_check_ignore_parse(struct pgm_arena *arena, const char *text, const char ***keys);

#endif
