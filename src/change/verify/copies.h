/*
 * The temporary copies on which writes are measured; inside verify/ only. See writes.h.
 */
#ifndef PGM_CHANGE_VERIFY_COPIES_H
#define PGM_CHANGE_VERIFY_COPIES_H

#include "change/verify/writes.h"

struct pgm_copy_column {
	const char *name;
	const char *quoted;
	bool generated;
	bool fixed_size;
	bool indexed;	/* some index of either copy holds it */
	bool covered;	/* an index that the Plan creates or drops holds it */
	double changed; /* rows of the first half whose value differs from their partner's in the second */
};

enum pgm_copy { PGM_COPY_BEFORE, PGM_COPY_AFTER, PGM_COPIES };

/*
 * pg_temp.pgmend_sample holds the sample, numbered from 1 to 2 * half in its column row_column; the copies
 * pgmend_before and pgmend_after are empty, with all their indexes.
 */
struct pgm_copies {
	struct pgm_conn *conn; /* of its own; the caller closes it, and with that all this is gone */
	struct pgm_arena *arena;
	const struct pgm_plan *plan;
	const char *schema, *relation;
	const char *table_oid;
	struct pgm_copy_column *columns;
	size_t column_count;
	const char *column_list; /* quoted, without generated ones */
	const char *row_column;	 /* names of three columns that the sample adds, quoted */
	const char *covered_flag;
	const char *other_flag;
	long half;
	int index_count[PGM_COPIES];
	const char *oids[PGM_COPIES];
};

const char *pgm_copy_name(enum pgm_copy copy); /* "pg_temp.pgmend_before" */

/*
 * Read the sample, at most max_rows of about row_count rows, in a transaction of its own: what locks it
 * takes on the table are gone when it returns.
 */
bool pgm_copies_sample(struct pgm_copies *copies, bool partitioned, double row_count, long max_rows,
		       struct pgm_error *err) PGM_MUST_CHECK;

/* Create both copies and their indexes, in the open transaction, and learn what the columns are. */
bool pgm_copies_create(struct pgm_copies *copies, struct pgm_error *err) PGM_MUST_CHECK;

#endif
