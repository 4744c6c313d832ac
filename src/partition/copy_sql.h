/*
 * The SQL by which one table becomes a copy of another that goes on changing, in both directions: triggers
 * that write the keys of changed rows into a log, a page of the backfill, what applies the log, what
 * compares, and what looks whether anybody interfered. change/batches.h and change/swap.h say how it is run.
 *
 * A key is the columns of the primary key and the key of the partitions: an update that moves a row to
 * another partition changes it, so the log gets the old one and the new one. The log knows no order and no
 * contents: what a key's row is now is read from the source when the key is applied.
 *
 * Our own session sets pgmend.copying, and then none of these triggers is run. Text only; in the arena.
 */
#ifndef PGM_PARTITION_COPY_SQL_H
#define PGM_PARTITION_COPY_SQL_H

#include "util/arena.h"
#include "util/buf.h"
#include "util/vec.h"

#include <stdbool.h>

struct pgm_copy_key {
	const char *name; /* quoted */
	const char *type;
	bool ordered; /* of the primary key, by which the pages are read; these come first */
};

struct pgm_copy_part {
	const char *name;  /* for people */
	const char *table; /* quoted, with its schema */
	const char *from;  /* bound; NULL: none */
	const char *to;
};

/* One direction. */
struct pgm_copy {
	struct pgm_arena *arena;
	const char *log;      /* quoted, with its schema: "pgmend.copy_16423_log" */
	const char *triggers; /* what their names begin with, unquoted: "pgmend_copy_16423_log" */
	const char *source;   /* quoted, with its schema */
	const char *copy;
	const char *within;  /* which rows of the source are copied, as a condition on s; NULL: all */
	const char *columns; /* quoted list: all that can be inserted */
	PGM_VEC(const char *) compared; /* quoted: all columns */
	PGM_VEC(struct pgm_copy_key) keys;
	PGM_VEC(const char *) captured; /* quoted tables that have the triggers: the source or its parts */
	PGM_VEC(struct pgm_copy_part) parts; /* by which rows are counted, by rising bounds */
	bool in_parts;			     /* the parts are the copy, and need not be in one table */
	const char *part_key;		     /* quoted */
	const char *part_type;
};

/* The log and the functions of the triggers. */
void pgm_copy_create_log(struct pgm_buf *out, const struct pgm_copy *copy);
void pgm_copy_create_triggers(struct pgm_buf *out, const struct pgm_copy *copy, const char *table);
void pgm_copy_drop_triggers(struct pgm_buf *out, const struct pgm_copy *copy, const char *table);
void pgm_copy_drop_log(struct pgm_buf *out, const struct pgm_copy *copy);

/* take, remove, add: statements with ";\n". */
void pgm_copy_apply(struct pgm_buf *out, const struct pgm_copy *copy);

/* The same for a copy whose parts are tables of their own, or will be. */
void pgm_copy_apply_parts(struct pgm_buf *out, const struct pgm_copy *copy);

/* The next page of the backfill, for a step in batches, after the same three. */
void pgm_copy_page(struct pgm_buf *out, const struct pgm_copy *copy);

/* more: further SELECTs of a reason, each with " UNION ALL " before it; or "". */
void pgm_copy_guard(struct pgm_buf *out, const struct pgm_copy *copy, const char *more);
void pgm_copy_verify(struct pgm_buf *out, const struct pgm_copy *copy);

#endif
