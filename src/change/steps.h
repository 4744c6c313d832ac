/*
 * How the engine looks before each kind of step, carries it out and takes it back. Inside change/ only.
 */
#ifndef PGM_CHANGE_STEPS_H
#define PGM_CHANGE_STEPS_H

#include "change/plan_file.h"
#include "change/target.h"

enum pgm_way {
	PGM_WAY_RUN,	/* carry it out */
	PGM_WAY_DONE,	/* it is: this step did it */
	PGM_WAY_SERVED, /* another index does it already: nothing to do, nothing to undo */
	PGM_WAY_ABSENT, /* what should be dropped is not there */
	PGM_WAY_LATER,	/* an earlier step makes what this one is about: it cannot be judged yet */
};

struct pgm_preflight {
	enum pgm_way way;
	struct pgm_target target;      /* its relation; not there where it is about none */
	struct pgm_target_index index; /* a DROP's; a CREATE's where something of that name is there */
	const char *note;	       /* why there is nothing to do, or what is cleaned up first */
	const char *duplicates;	       /* query for what is in the way of a unique index, or NULL */
	struct pgm_plan_sql *sqls;
	size_t sql_count;
	bool partitioned; /* the index is built partition by partition */
};

/* The statements of a Change that was read from a Plan file. */
bool pgm_steps_parse(struct pgm_arena *arena, const char *sql, struct pgm_plan_sql **sqls, size_t *count,
		     struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Whether the step can be carried out, and what is left to do. ledger: its row, NULL where it has none.
 * later: an earlier step that is still to run may make what is missing. Changes nothing.
 */
bool pgm_preflight(struct pgm_run *run, const struct pgm_change *change, const struct pgm_ledger_step *ledger,
		   bool later, struct pgm_preflight *preflight, struct pgm_error *err) PGM_MUST_CHECK;

/* Make indexes: the statements one by one, without what is there already, then partitions they forgot. */
bool pgm_build(struct pgm_run *run, const struct pgm_plan_sql *sqls, size_t count,
	       struct pgm_error *err) PGM_MUST_CHECK;

/* Drop what a failed build left half made. */
bool pgm_build_clean(struct pgm_run *run, struct pgm_error *err) PGM_MUST_CHECK;

/* Bytes of the indexes that the step made; -1 where it made none. */
int64_t pgm_build_size(struct pgm_run *run);

/* Drop an index that is ours. watched: wait for others as long as allowed; else in short tries. */
bool pgm_drop_index(struct pgm_run *run, const struct pgm_target_index *index, bool watched,
		    struct pgm_error *err) PGM_MUST_CHECK;

/* The statements that make the index (and its partitions, comment, tablespace...) anew. */
bool pgm_drop_inverse(struct pgm_run *run, const struct pgm_target_index *index, const char **sql,
		      struct pgm_error *err) PGM_MUST_CHECK;

/* The index that a row of the Ledger is about, wherever it was renamed to. */
bool pgm_target_made(struct pgm_run *run, const struct pgm_ledger_made *made, struct pgm_target_index *index,
		     struct pgm_error *err) PGM_MUST_CHECK;

/* A step of kind DETACH or DROP_TABLE: whether it is to be done still. */
bool pgm_partition_look(struct pgm_run *run, const struct pgm_change *change,
			const struct pgm_ledger_step *ledger, bool later, struct pgm_preflight *preflight,
			struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Detach the partition: each statement waits for a lock no longer than one try may, and what another run (or
 * such a wait) left half detached is finished.
 */
bool pgm_detach(struct pgm_run *run, const struct pgm_change *change, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_detach_undo(struct pgm_run *run, const struct pgm_change *change, const char **kept,
		     struct pgm_error *err) PGM_MUST_CHECK;

/* Drop the table, and commit its row in the Ledger with that. *note: what became of its rows, or NULL. */
bool pgm_drop_table(struct pgm_run *run, const struct pgm_change *change, int64_t *freed_bytes,
		    const char **note, struct pgm_error *err) PGM_MUST_CHECK;

/* Load the step's file into its empty table, verify count and checksum, and commit the step with that. */
bool pgm_load_table(struct pgm_run *run, const struct pgm_change *change, const char **note,
		    struct pgm_error *err) PGM_MUST_CHECK;

/* A step of kind REINDEX: whether it is to be done still, and what an earlier run of it left. */
bool pgm_reindex_look(struct pgm_run *run, const struct pgm_ledger_step *ledger, bool later,
		      struct pgm_preflight *preflight, struct pgm_error *err) PGM_MUST_CHECK;

/* Rebuild the index, concurrently. *size: by how much it grew, less than 0 where it shrank; -1: not known. */
bool pgm_reindex(struct pgm_run *run, const struct pgm_preflight *look, int64_t *size,
		 struct pgm_error *err) PGM_MUST_CHECK;

/* Drop what a REINDEX that failed a moment ago left half made. */
bool pgm_reindex_clean(struct pgm_run *run, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_reindex_undo(struct pgm_run *run, const struct pgm_change *change,
		      const struct pgm_ledger_step *ledger, struct pgm_error *err) PGM_MUST_CHECK;

/* Take one step back; *kept: NULL, or why it stays as it is. */
bool pgm_undo(struct pgm_run *run, const struct pgm_change *change, const struct pgm_ledger_step *ledger,
	      const char **kept, struct pgm_error *err) PGM_MUST_CHECK;

/* Statements of a step of kind SQL that cannot run in a transaction, one after the other. */
bool pgm_steps_run_alone(struct pgm_run *run, const char *sql, struct pgm_error *err) PGM_MUST_CHECK;

#endif
