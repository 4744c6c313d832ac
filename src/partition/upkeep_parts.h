/*
 * What the parts of upkeep share. Inside partition/ only.
 */
#ifndef PGM_PARTITION_UPKEEP_PARTS_H
#define PGM_PARTITION_UPKEEP_PARTS_H

#include "partition/upkeep.h"

/* One range to be: literals of the key's type, and for a time its lower bound on the table's clock. */
struct pgm_upkeep_range {
	const char *low, *high;
	const char *local;
	const char *name; /* of its partition */
};

const char *pgm_upkeep_class_name(enum pgm_upkeep_class class);
/* What from says goes over what to says. */
void pgm_upkeep_prefer(const struct pgm_upkeep_settings *from, struct pgm_upkeep_settings *to);
void pgm_upkeep_note(struct pgm_arena *arena, struct pgm_upkeep_table *table, bool problem,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));
void pgm_upkeep_add_plan(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			 const char *what, const pgm_changes *changes, bool retires);

/* Look: partitions and their bounds, the length of one, what time it is. */
bool pgm_upkeep_look(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
		     struct pgm_error *err) PGM_MUST_CHECK;

/* The ranges that are missing: after the last partition, and where asked in between. */
bool pgm_upkeep_missing(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			struct pgm_upkeep_range **ranges, size_t *count,
			struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_upkeep_names(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
		      struct pgm_upkeep_range *ranges, size_t count, struct pgm_error *err) PGM_MUST_CHECK;

/* Plans: to make partitions of the ranges, and to retire what is too old. */
bool pgm_upkeep_plan_new(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			 const struct pgm_upkeep_range *ranges, size_t count,
			 struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_upkeep_plan_retire(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			    struct pgm_error *err) PGM_MUST_CHECK;

#endif
