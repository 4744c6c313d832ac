/*
 * The record of how far a file is loaded: a row of pgmend.copy_in, beside the Ledger's tables. It is written
 * in the transaction of the rows it is about.
 */
#ifndef PGM_COPYIN_RECORD_H
#define PGM_COPYIN_RECORD_H

#include "copyin/source.h"
#include "copyin/table.h"

struct pgm_copyin_record {
	int64_t id;	 /* 0: there is none yet */
	const char *how; /* format, columns and the like: to go on with others would make other rows */
	bool done;
	int64_t position, line; /* of the next row: bytes from the front, decompressed */
	int64_t rows, rejected;
	int64_t reject_bytes, reason_bytes; /* sizes of the files of rejected rows */
	const char *started_at;		    /* where it was found */
	const char *file;
};

/* Make the Ledger and the table where they are missing; PGM_ERR_RIGHTS where we may not. */
bool pgm_copyin_record_ensure(struct pgm_conn *conn, struct pgm_error *err) PGM_MUST_CHECK;

/* The latest load of the file into the table; id 0: none. */
bool pgm_copyin_record_find(struct pgm_conn *conn, struct pgm_arena *arena,
			    const struct pgm_copyin_table *table, const struct pgm_source_identity *identity,
			    struct pgm_copyin_record *record, struct pgm_error *err) PGM_MUST_CHECK;

/* In the transaction of the first rows: begins a record at its position. */
bool pgm_copyin_record_add(struct pgm_conn *conn, struct pgm_arena *arena,
			   const struct pgm_copyin_table *table, const struct pgm_source_identity *identity,
			   struct pgm_copyin_record *record, struct pgm_error *err) PGM_MUST_CHECK;

/* In each transaction: goes on from before to after. PGM_ERR_STATE where someone else did meanwhile. */
bool pgm_copyin_record_save(struct pgm_conn *conn, struct pgm_arena *arena,
			    const struct pgm_copyin_record *before, const struct pgm_copyin_record *after,
			    struct pgm_error *err) PGM_MUST_CHECK;

#endif
