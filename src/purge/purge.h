/*
 * Purge: deleting rows, and all that goes with them by foreign keys, without one long transaction. This part
 * looks and designs; the engine carries the Plan out.
 *
 * pgm_purge_read() finds the tables whose rows would go and judges whether batches can do what one DELETE
 * does; pgm_purge_estimate() counts; pgm_purge_plan() makes the Plan. All data lives in the given arena.
 */
#ifndef PGM_PURGE_PURGE_H
#define PGM_PURGE_PURGE_H

#include "change/plan.h"
#include "pg/conn.h"

#define PGM_PURGE_TABLES_MAX 500

/* The title of the step that refuses before the first row goes. */
#define PGM_PURGE_CHECK_TITLE "look for what a DELETE would refuse"

struct pgm_purge_options {
	const char *table; /* "name" or "schema.name", quoted where needed */
	const char *where; /* an SQL condition */
	bool atomic;	   /* one plain DELETE */
	bool build_index;  /* indexes that foreign keys miss are built first */
	bool skip_ri;	   /* parents whose children are gone: without the foreign keys' triggers */
	int64_t count_ms;  /* how long counting the rows of one table may take */
};

struct pgm_purge_table;

/* A foreign key that references a table whose rows go. */
struct pgm_purge_key {
	unsigned oid;
	const char *name;
	struct pgm_purge_table *parent;
	struct pgm_purge_table *child; /* NULL: its rows stay */
	const char *child_schema, *child_name, *child_quoted;
	char action; /* c cascade, n set null, d set default, a no action, r restrict */
	size_t column_count;
	char **columns;
	char **parent_columns;
	char **operators;     /* parent = child */
	char **parent_arrays; /* types of arrays of its parent_columns: "bigint[]" */
	bool plain;	      /* one column, and "child = ANY (array of the parent's)" says the same */
	char **set_columns;
	size_t set_count;
	const char *set_problem; /* why setting them may fail or do more; NULL: nothing */
	bool indexed;
	bool period;
	bool disabled; /* its trigger on the parent */
	bool may_select, may_update, row_security;
	bool child_partitioned;
	double tuples, pages, index_pages; /* of the child, by the statistics */
	double average, most;		   /* children that one parent has */
	double rows;			   /* of the child that are referenced so; -1: not counted */
	bool rows_estimated;
};

struct pgm_purge_table {
	unsigned oid;
	const char *schema, *name, *quoted;
	char kind;
	char persistence;
	bool is_partition, inherits, has_foreign, system, row_security, no_identity;
	bool may_delete, may_select, may_update;
	double tuples, pages, index_pages;
	const char *partition_keys; /* foreign keys of single partitions; NULL: none */
	const char *before_row;	    /* triggers; NULL: none */
	const char *other_triggers;
	const char *delete_rules;
	char **identity; /* columns that tell its rows apart; none where there is no such key */
	char **identity_types;
	char **identity_arrays; /* types of arrays of them */
	size_t identity_count;
	struct pgm_purge_key **keys; /* that reference it */
	size_t key_count;
	struct pgm_purge_key **up; /* those by which its rows go */
	size_t up_count;
	bool self;   /* one of them is its own */
	int depth;   /* the longest way from the root */
	int number;  /* of its table of keys, from 1 */
	double rows; /* that go; -1: not counted */
	bool rows_estimated;
};

struct pgm_purge {
	const struct pgm_purge_options *options;
	struct pgm_purge_table *tables; /* the root first */
	size_t table_count;
	struct pgm_purge_table **order; /* parents before children */
	struct pgm_purge_key *keys;
	size_t key_count;
	bool cyclic;
	bool volatile_where; /* asks differently each time: it is asked once */
	const char **notes;  /* what one should know */
	size_t note_count;
	const char **problems; /* why batches cannot do it */
	size_t problem_count;
	double rows, bytes, wal_bytes, time_ms, index_ms, plain_ms; /* forecast; -1: not known */
	size_t missing_count;					    /* indexes */
	bool index_pays; /* building them costs less than deleting without */
};

/* PGM_ERR_USAGE: no such table, or the condition is none. PGM_ERR_RIGHTS names the missing GRANT. */
bool pgm_purge_read(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_purge_options *options,
		    struct pgm_purge *purge, struct pgm_error *err) PGM_MUST_CHECK;

/* Count what would go, and forecast. Reads the tables, for options->count_ms each; then estimates. */
bool pgm_purge_estimate(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_purge *purge,
			struct pgm_error *err) PGM_MUST_CHECK;

/* The Plan; PGM_ERR_STATE with the first problem where batches cannot do it. */
bool pgm_purge_plan(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_purge *purge,
		    struct pgm_plan *plan, struct pgm_error *err) PGM_MUST_CHECK;

/* The title of its Plan, by which an unfinished one is found again. */
const char *pgm_purge_title(struct pgm_arena *arena, const struct pgm_purge *purge);

const char *pgm_purge_action_name(char action); /* "CASCADE" */

#endif
