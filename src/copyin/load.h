/*
 * A load that runs: what its parts share. Inside copyin/ only.
 */
#ifndef PGM_COPYIN_LOAD_H
#define PGM_COPYIN_LOAD_H

#include "copyin/copyin.h"
#include "copyin/ndjson.h"
#include "copyin/place.h"
#include "copyin/record.h"
#include "copyin/reject.h"

/* A file, as it was found before the first row. */
struct pgm_copyin_input {
	const char *path, *name;
	struct pgm_copyin_dialect dialect;
	struct pgm_source_identity identity;
	struct pgm_source *source; /* NULL: it is to be opened again */
	struct pgm_framer *framer;
	int64_t size_bytes; /* -1: not known */

	const char *header; /* its first line, or NULL */
	size_t header_length;
	struct pgm_copyin_map map; /* count 0 for NDJSON */

	const char *how;		  /* what a load that goes on must have the same */
	struct pgm_copyin_record saved;	  /* as it is committed */
	struct pgm_copyin_record current; /* with what the open transaction adds */
	int64_t duplicates, conflicts;	  /* of current */
	bool skip;			  /* an earlier run loaded it */
};

struct pgm_copyin_load {
	struct pgm_conn *conn;
	struct pgm_arena *arena; /* of the whole run */
	const struct pgm_copyin_options *options;
	struct pgm_copyin_result *result;
	struct pgm_copyin_table table;
	const char *target; /* quoted: the table, or what stands for it in a dry run */

	struct pgm_copyin_input *inputs;
	size_t input_count;
	bool recorded;
	bool atomic;
	bool by_batch;
	bool has_default_mark; /* COPY can be told to take a column's default, as PostgreSQL 16 can */
	bool in_transaction;

	struct pgm_reject *reject;
	int64_t rejected; /* by this and earlier runs */

	int64_t bytes_before; /* of the files that are done */
	int64_t bytes_total;
	int64_t rows_sent;
	double shown_ms;
};

/* input.c: look at all files, and match their headers; nothing is written. */
bool pgm_copyin_prepare(struct pgm_copyin_load *load, struct pgm_error *err) PGM_MUST_CHECK;
/* Open it at the next row to load. */
bool pgm_copyin_input_open(struct pgm_copyin_load *load, struct pgm_copyin_input *input,
			   struct pgm_error *err) PGM_MUST_CHECK;
/* Its next row. "\." ends COPY's text: COPY would leave out silently what stands behind; here it is an error.
 */
bool pgm_copyin_next(struct pgm_copyin_input *input, struct pgm_frame_record *record, bool *got,
		     struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_copyin_is_end_mark(const struct pgm_frame_record *record);
void pgm_copyin_input_close(struct pgm_copyin_input *input);

/* transaction.c */
/* Begin a transaction where none is open; the table is locked in short tries. */
bool pgm_copyin_begin(struct pgm_copyin_load *load, struct pgm_copyin_input *input,
		      struct pgm_error *err) PGM_MUST_CHECK;
/* Record what the file's current state is, and commit unless all is one transaction. last: of this file. */
bool pgm_copyin_commit(struct pgm_copyin_load *load, struct pgm_copyin_input *input, bool last,
		       struct pgm_error *err) PGM_MUST_CHECK;
/* At the end of all files. */
bool pgm_copyin_commit_all(struct pgm_copyin_load *load, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_copyin_rollback(struct pgm_copyin_load *load);

/* stream.c and batch.c: one file, from where it is open to its end. */
bool pgm_copyin_stream(struct pgm_copyin_load *load, struct pgm_copyin_input *input,
		       struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_copyin_batches(struct pgm_copyin_load *load, struct pgm_copyin_input *input,
			struct pgm_error *err) PGM_MUST_CHECK;

/* run.c */
void pgm_copyin_show(struct pgm_copyin_load *load, const struct pgm_copyin_input *input);
void pgm_copyin_note(struct pgm_copyin_load *load, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* "orders.csv line 17" or, with a column, "orders.csv line 17, column price" before the error's message. */
bool pgm_copyin_at(struct pgm_error *err, const struct pgm_copyin_input *input, int64_t line,
		   const char *column);

/* values.c */
/* The values of a row by the map or, of NDJSON, by its keys. */
struct pgm_copyin_row {
	struct pgm_fields fields;
	struct pgm_json_object object;
	char *literals; /* arrays */
	size_t literal_capacity;

	/* Which columns the row has, in the table's order, and their values. */
	unsigned char *present;
	struct pgm_field *values;
	int *key_columns; /* of the keys of the last row: they seldom move */
	size_t key_capacity;
	size_t column_count;
};

void pgm_copyin_row_init(struct pgm_copyin_row *row, const struct pgm_copyin_load *load);
void pgm_copyin_row_done(struct pgm_copyin_row *row);

/*
 * Split it. NULL, or what is wrong with the row; a text of the arena where it is no constant. *sqlstate, and
 * *column (may be NULL), belong to it.
 */
const char *pgm_copyin_row_read(struct pgm_copyin_row *row, const struct pgm_copyin_load *load,
				const struct pgm_copyin_input *input, const struct pgm_frame_record *record,
				struct pgm_arena *arena, const char **sqlstate, const char **column);

#endif
