/*
 * Verify: does a Plan do what it promises? A baseline measures the Plan's statements before it is applied;
 * compare measures them again and sets both side by side; health looks, without a baseline, at whether the
 * Plan's indexes exist, are valid and are chosen. Nothing here prints.
 *
 * Only statements that read are executed, in READ ONLY transactions that are rolled back, under a
 * statement_timeout; all others are planned by EXPLAIN and not more. What an index costs the writers is
 * measured on temporary tables of a session of our own (writes.h), so the user's tables are never written.
 *
 * Plain data; everything lives in the arena given to the function that made it. A session is used by the
 * calling thread alone.
 */
#ifndef PGM_CHANGE_VERIFY_H
#define PGM_CHANGE_VERIFY_H

#include "change/plan.h"
#include "change/verify/stats.h"
#include "pg/conn.h"

#include <jansson.h>

#define PGM_VERIFY_RUNS_DEFAULT 5
#define PGM_VERIFY_RUNS_MAX	PGM_SPREAD_MAX

struct pgm_verify_options {
	int runs;		   /* of each statement, after one that warms up */
	double statement_limit_ms; /* statement_timeout of each run */
	double budget_ms;	   /* once it is spent, each statement still to come runs once */
	int sample_rows;	   /* of a table, for the temporary copy; 0: do not measure writes */
	/* Told what is being done; fraction is of the whole. May be NULL. */
	void (*progress)(void *arg, const char *label, double fraction);
	void *progress_arg;
};

struct pgm_verify_options pgm_verify_defaults(void);

enum pgm_measure_state {
	PGM_MEASURE_TIMED,     /* executed: times, buffers, plan */
	PGM_MEASURE_TIMED_OUT, /* executed and stopped: it takes longer than limit_ms */
	PGM_MEASURE_PLANNED,   /* not executed, see reason: plan and cost only */
	PGM_MEASURE_FAILED,    /* could not even be planned: reason is the server's message */
};

struct pgm_index_name {
	const char *schema;
	const char *name;
};

/* One statement of the Plan, measured. */
struct pgm_measure {
	const char *id;	  /* the statement's fingerprint */
	const char *hash; /* of its text with values: one fingerprint may stand in a Plan more than once */
	const char *text; /* with $1 in place of values */
	enum pgm_measure_state state;
	const char *reason; /* "" where it was executed */
	double limit_ms;
	bool cold; /* the time budget was spent: the one run had no other to warm up for it */
	struct pgm_spread time_ms;
	double hit_blocks; /* medians, as the others below */
	double read_blocks;
	double rows;
	double cost;			/* the planner's, from plain EXPLAIN */
	const char *headline;		/* "Index Scan using i on t"; "" where it failed */
	struct pgm_index_name *indexes; /* all that the plan uses */
	size_t index_count;
};

/* What one kind of write costs with one set of indexes; count 0: not measured. */
struct pgm_write_cost {
	struct pgm_spread us_per_row;
	double hot_share; /* of an UPDATE: the share of rows that went without touching an index */
};

enum pgm_write_kind {
	PGM_WRITE_INSERT,
	PGM_WRITE_UPDATE_COVERED, /* of the columns that the Plan's indexes hold */
	PGM_WRITE_UPDATE_OTHER,	  /* of a column that no index holds */
	PGM_WRITE_KINDS,
};

const char *pgm_write_kind_name(enum pgm_write_kind kind); /* "update_covered" */

/* Writes to one table, on temporary copies with the indexes before and after the Plan. */
struct pgm_writes {
	const char *schema;
	const char *relation;
	const char *reason; /* why it was not measured, or "" */
	double rows;	    /* that each run wrote */
	int indexes_before;
	int indexes_after;
	const char *covered_columns; /* "a, b" */
	const char *other_column;
	struct pgm_write_cost before[PGM_WRITE_KINDS];
	struct pgm_write_cost after[PGM_WRITE_KINDS];
	const char *notes[PGM_WRITE_KINDS]; /* why this kind was not measured, or "" */
};

/* All of a Plan's statements, measured at one time. */
struct pgm_measures {
	const char *plan_id;
	const char *database;
	const char *taken_at; /* ISO 8601, UTC, by the server's clock */
	int server_version;
	bool budget_spent; /* some statements ran fewer times than asked */
	int made;	   /* of a baseline: how many of the Plan's indexes were made or dropped already */
	struct pgm_measure *items;
	size_t count;
	struct pgm_writes *writes;
	size_t write_count;
};

/*
 * Measure every statement. Statements that cannot be measured say why and fail nothing, but where not one
 * of several could even be planned, the first one's error is returned.
 */
bool pgm_verify_measure(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
			const struct pgm_verify_options *options, struct pgm_measures *measures,
			struct pgm_error *err) PGM_MUST_CHECK;

/* How many of the Plan's indexes are made or dropped already, by their names. */
bool pgm_verify_made(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan, int *made,
		     struct pgm_error *err) PGM_MUST_CHECK;

struct pgm_verify_pair {
	const struct pgm_measure *before; /* NULL in health, and where the baseline lacks it */
	const struct pgm_measure *after;
	enum pgm_verdict verdict;
	double ratio;	     /* before / after: above 1 it gained; 0: not known */
	bool ratio_at_least; /* before timed out: it gained at least that much */
	bool ratio_at_most;  /* after timed out */
	size_t expected;     /* the Plan's new indexes that it is expected to use */
	size_t used;	     /* and how many of them its plan uses */
};

/* One index that the Plan creates or drops, as the catalog has it now. */
struct pgm_verify_index {
	const struct pgm_change *change;
	bool exists;
	bool on_other_table; /* the name is taken by an index of another table */
	bool valid;
	bool ready;
	double size_bytes;	      /* with its partitions' */
	int64_t scans;		      /* since statistics were last reset */
	size_t expected_by;	      /* statements that are expected to use it... */
	size_t unplanned_by;	      /* ... of which these could not be planned... */
	size_t used_by;		      /* ... and these do use it */
	struct pgm_index_name *names; /* itself and, of a partitioned one, those below */
	size_t name_count;
	const char *problem; /* what falls short, or "" */
};

enum pgm_verify_mode { PGM_VERIFY_COMPARE, PGM_VERIFY_HEALTH };

struct pgm_verify_report {
	enum pgm_verify_mode mode;
	const struct pgm_plan *plan;
	const struct pgm_measures *before; /* NULL in health */
	const struct pgm_measures *after;
	struct pgm_verify_pair *pairs; /* one for each of the Plan's statements */
	size_t pair_count;
	struct pgm_verify_index *indexes;
	size_t index_count;
	const char **problems; /* each a sentence: what fell short */
	size_t problem_count;  /* 0: passed */
};

/* Measure again and set it beside before. What got slower is measured once more before it is said. */
bool pgm_verify_compare(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
			const struct pgm_verify_options *options, const struct pgm_measures *before,
			struct pgm_verify_report *report, struct pgm_error *err) PGM_MUST_CHECK;

/* Indexes and plans as they are now; executes no statement. */
bool pgm_verify_health(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
		       struct pgm_verify_report *report, struct pgm_error *err) PGM_MUST_CHECK;

/* "pgmend.baseline/1". The caller owns the reference. */
json_t *pgm_measures_json(const struct pgm_measures *measures);

/* The way back. PGM_ERR_INPUT: what is wrong with it. */
bool pgm_measures_parse(struct pgm_arena *arena, const json_t *json, struct pgm_measures *measures,
			struct pgm_error *err) PGM_MUST_CHECK;

/* "pgmend.verify/1". The caller owns the reference. */
json_t *pgm_verify_report_json(const struct pgm_verify_report *report);

#endif
