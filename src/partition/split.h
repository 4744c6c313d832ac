/*
 * The method split: the rows of the first partition of a table (the one without a lower bound: an adopted
 * table) are copied into partitions of one interval each, in the background, and these are put in its place.
 * The old partition stays as a table of its own, and what is written since is captured, so that a rollback
 * loses nothing, until "--finish" drops it.
 */
#ifndef PGM_PARTITION_SPLIT_H
#define PGM_PARTITION_SPLIT_H

#include "change/plan.h"
#include "partition/copy_sql.h"
#include "partition/design.h"

struct pgm_split_reference {
	const char *name;	/* quoted, of the foreign key */
	const char *definition; /* "FOREIGN KEY (...) REFERENCES ..." */
	const char *old_name;	/* quoted, in the old partition */
	const char *table;	/* that it goes to; quoted, with its schema */
};

struct pgm_split {
	const char *oid; /* of the partitioned table */
	const char *schema;
	const char *name;
	const char *owner;
	const char *key; /* unquoted */
	struct pgm_interval interval;
	const char *checks;  /* how many constraints it has */
	const char *indexes; /* and how many indexes */
	int plain_indexes;   /* of these, that are not unique */

	const char *old_oid; /* the partition that is split */
	const char *old_schema;
	const char *old_name;
	const char *old_options; /* for WITH (...); NULL: none */
	const char *old_tablespace;
	char replica_identity;
	const char *until; /* its upper bound */
	double rows;
	int64_t bytes;
	const char *oldest;
	const char *newest;

	const char *staging; /* a partitioned table that holds the pieces until the swap */
	const char *check;   /* what the constraint is called that proves a piece's bounds */
	struct pgm_range *ranges;
	const char **names; /* of the pieces */
	size_t count;
	PGM_VEC(struct pgm_split_reference) references;
	struct pgm_copy forward; /* old partition -> pieces */
	struct pgm_copy back;	 /* table -> old partition */

	PGM_VEC(const char *) refusals;
	pgm_partition_statements incoming;
	PGM_VEC(const char *) notes;
};

/* Look, and make the Plan; where there are refusals there is none (true, plan->change_count 0). */
bool pgm_partition_split(struct pgm_conn *conn, struct pgm_arena *arena,
			 const struct pgm_partition_options *options, struct pgm_split *split,
			 struct pgm_plan *plan, struct pgm_error *err) PGM_MUST_CHECK;

/* Inside partition/ only: columns, keys and foreign keys, those of the table with split->oid. */
bool pgm_split_shape(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_split *split,
		     struct pgm_copy *copy, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Inside partition/ only: the ranges of the pieces and their names, which nothing has and no earlier call
 * gave for names; names->options.keep as --keep has it. May add to split->refusals and notes; whole begins
 * the sentence where one piece would hold all ("its rows are").
 */
bool pgm_split_pieces(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *names,
		      const char *whole, struct pgm_split *split, struct pgm_error *err) PGM_MUST_CHECK;

/* Inside partition/ only: both directions of the copying, for pieces that are chosen. */
void pgm_split_directions(struct pgm_arena *arena, struct pgm_split *split, const struct pgm_copy *shape);

#define PGM_SPLIT_PIECES_MAX 1000

/* What --keep does: a bound, and the quoted name of a partition. */
#define PGM_SPLIT_OLD_NOTE                                                                                   \
	"rows below %s stay together in partition %s: \"pgmend partition --upkeep --retention=TIME\" takes " \
	"it out of the table as a whole, and keeps, archives or drops it"

/* Inside partition/ only: the steps of the Plan. */
void pgm_split_steps(struct pgm_arena *arena, const struct pgm_split *split, struct pgm_plan *plan);

/*
 * What ends the grace period of a conversion of this table: the old table and the reverse capture are
 * dropped. plan->change_count 0: there is nothing to finish.
 */
bool pgm_partition_finish(struct pgm_conn *conn, struct pgm_arena *arena, const char *table,
			  struct pgm_plan *plan, struct pgm_error *err) PGM_MUST_CHECK;

#endif
