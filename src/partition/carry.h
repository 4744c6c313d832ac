/*
 * What a partitioned table takes over from the plain one that it replaces: the SQL that makes it under its
 * staging name, and what has to wait until it has the real one. For every method; nothing here runs anything
 * that changes the database.
 */
#ifndef PGM_PARTITION_CARRY_H
#define PGM_PARTITION_CARRY_H

#include "partition/design.h"
#include "util/buf.h"

struct pgm_carry_trigger {
	const char *name;
	const char *create; /* CREATE TRIGGER ... ON the table under its own name */
	const char *staged; /* the same ON the staging table */
	bool row;	    /* FOR EACH ROW: the partitions get it, too */
	char enabled;	    /* pg_trigger.tgenabled */
	const char *comment;
};

struct pgm_carry_table {
	const char *quoted;
	bool may_lock;
};

struct pgm_carry_view {
	const char *quoted;
	const char *create; /* CREATE OR REPLACE VIEW */
};

struct pgm_carry_publication {
	const char *name;
	const char *details; /* column list and row filter, as they follow the table's name; "" */
};

/* Everything is without ";" and lives in the arena. */
struct pgm_carry {
	PGM_VEC(const char *) parent;	/* statements on the staging table */
	PGM_VEC(const char *) column;	/* "ALTER COLUMN a SET STATISTICS 500": for the partitions, too */
	PGM_VEC(const char *) sequence; /* statements once the identity's sequence has its name, both ways */
	PGM_VEC(const char *) after;	/* statements once the new table has the old one's name */
	PGM_VEC(struct pgm_carry_trigger) triggers;
	PGM_VEC(struct pgm_carry_table) references; /* tables that foreign keys go out to */
	PGM_VEC(struct pgm_carry_view) views;
	PGM_VEC(struct pgm_carry_publication) publications;
	PGM_VEC(const char *) fingerprint; /* "('columns', 'md5')" */
};

/* Read it. Adds to the design's refusals, changes and notes. */
bool pgm_carry_read(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		    struct pgm_carry *carry, struct pgm_error *err) PGM_MUST_CHECK;

/* The statements, each with ";\n", that make the new table under its staging name, without partitions. */
void pgm_carry_create_parent(struct pgm_buf *out, const struct pgm_partition_design *design,
			     const struct pgm_carry *carry);

/* One empty partition of the table of that quoted name, with the storage options and the rest. */
void pgm_carry_create_partition(struct pgm_buf *out, const struct pgm_partition_design *design,
				const struct pgm_carry *carry, const char *parent, const char *name,
				const struct pgm_range *range);

/* "CONSTRAINT name PRIMARY KEY (...)": of a parent, with the key taken in where it has to be. */
char *pgm_carry_constraint(struct pgm_arena *arena, const struct pgm_partition_design *design,
			   const struct pgm_partition_index *index, const char *name);
/* CREATE UNIQUE INDEX of a widened index on a table of that quoted name. */
char *pgm_carry_wide_index(struct pgm_arena *arena, const struct pgm_partition_design *design,
			   const struct pgm_partition_index *index, const char *name, const char *table,
			   bool concurrently);

/* ADD GENERATED ... AS IDENTITY (SEQUENCE NAME ...) for ALTER COLUMN. */
char *pgm_carry_identity(struct pgm_arena *arena, const struct pgm_partition_column *column,
			 const char *sequence);

/* The trigger's state where it is not the usual one, as a statement; NULL. */
char *pgm_carry_trigger_state(struct pgm_arena *arena, const struct pgm_carry_trigger *trigger,
			      const char *table);

/* Each partition of the staging table identifies its rows by its part of the index. */
char *pgm_carry_replica_identities(struct pgm_arena *arena, const struct pgm_partition_design *design,
				   const struct pgm_partition_index *index);

/* What the fingerprint leaves out: names that the Plan adds, as a literal of text[]. */
char *pgm_carry_own_names(struct pgm_arena *arena, const struct pgm_partition_design *design);

/* The query of the fingerprint for the table, with its parameters in place. */
char *pgm_carry_fingerprint_sql(struct pgm_arena *arena, const struct pgm_partition_design *design);

#endif
