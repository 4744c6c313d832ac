/*
 * The inside of a batch. One thread at a time uses it, but for `canceled` and `cancel`.
 *
 * batch.c         open and close, results
 * batch_plan.c    what the options mean for this table: columns, method, SQL
 * batch_rows.c    rows come in and are encoded, once, into the chunk
 * batch_keys.c    rows of an upsert with the same key
 * batch_chunk.c   chunks: begun, sent while they fill, accepted, or tried again in pieces
 * batch_copy.c    an attempt by COPY
 * batch_insert.c  an attempt by prepared INSERTs in a pipeline
 * batch_bad.c     rows that were refused
 * batch_returned.c  rows that RETURNING gave
 *
 * A chunk is what is committed, or put under a savepoint, together; its rows are kept until that is done, as
 * one that is refused has to be found. An attempt sends the rows from one on, under one savepoint or in one
 * transaction. While a chunk fills, its first attempt already runs: the server works while we encode. When
 * that fails, the chunk is rolled back and its rows are sent in smaller attempts, until each that is refused
 * was alone.
 */
#ifndef PGM_LIB_BATCH_H
#define PGM_LIB_BATCH_H

#include "lib/bytes.h"
#include "lib/encode.h"
#include "lib/target.h"

#include <stdatomic.h>

#define PGM_PARAMETERS_MAX  65535
#define PGM_KEY_COLUMNS_MAX 32		      /* INDEX_MAX_KEYS */
#define PGM_STATEMENT_BYTES ((size_t)4 << 20) /* of one INSERT; more where one row is longer */
#define PGM_COPY_ROWS_FIRST 1000	      /* see may_copy */

enum pgm_batch_form {
	PGM_FORM_COPY,	    /* rows as in COPY BINARY: a count of columns, then fields */
	PGM_FORM_COPY_TEXT, /* lines of COPY's text format */
	PGM_FORM_FIELDS	    /* fields: a length in four bytes, -1 for NULL, and the value */
};

struct pgm_batch_column {
	char *name;
	int held;		     /* enum pgmend_type */
	const struct pgm_type *type; /* what a domain is made of */
	pgm_encoder encoder;
	size_t value_size;
	bool by_pointer;
	bool as_text; /* sent as a text that the server casts */
	int key;      /* its place in conflict_key, from 1; 0: not in it */
	uint32_t wire_oid, wire_array_oid;
};

/* Rows of one chunk. */
struct pgm_rows {
	struct pgm_bytes bytes;
	struct pgm_row {
		size_t begin; /* in bytes; the row ends where the next one begins */
		int64_t position;
		uint32_t earlier; /* 1 + the row of the same statement with the same key; 0: none */
		bool left_out;	  /* there is a later one with the same key */
	} * rows;
	size_t count, capacity;
};

struct pgm_keys {
	struct pgm_key_slot {
		uint64_t hash[2];
		uint32_t generation;
		uint32_t row;
	} * slots;
	size_t capacity, used;
	uint32_t generation;
	uint64_t seed[2];
};

enum pgm_awaited_kind {
	PGM_AWAIT_COMMAND,
	PGM_AWAIT_XID,
	PGM_AWAIT_PREPARE,
	PGM_AWAIT_ROWS,
	PGM_AWAIT_COMMIT,
	PGM_AWAIT_SYNC
};

struct pgm_awaited {
	enum pgm_awaited_kind kind;
	size_t from, to; /* rows, or the prepared statement */
};

struct pgm_attempt {
	bool running;
	bool by_copy;
	bool commits; /* a transaction of its own; otherwise a savepoint in one */
	bool piece;   /* rows are sent again */
	bool failed;
	bool hopeless; /* the statement was refused, not a row of it */
	bool mismatch; /* RETURNING gave other rows than were sent */
	bool commit_sent;
	size_t from, sent;
	size_t bad_from, bad_to; /* where the refused row is; all of it if not known */
	int64_t written;
	struct pgmend_error error;
	size_t returned; /* blocks in pgm_returned before it began */
	/* In a pipeline. */
	struct pgm_awaited *awaited;
	size_t awaited_count, awaited_capacity, answered;
};

struct pgm_returned_block {
	PGresult *result;
	int64_t *positions;
	int64_t before; /* rows in the blocks before */
};

struct pgm_returned {
	struct pgm_returned_block *blocks;
	size_t count, capacity;
	size_t delivered; /* blocks given to on_returning, or kept */
};

struct pgm_bad_rows {
	struct pgmend_bad_row *rows;
	size_t count, capacity;
	size_t reported;
};

struct pgmend_batch {
	PGconn *conn;
	PGcancel *cancel;
	atomic_bool canceled;

	struct pgmend_batch_options options; /* its lists and names are not used after open */
	struct pgm_target target;
	struct pgm_batch_column *columns;
	int column_count;
	int key_count;
	int returning_count;
	int method;
	enum pgm_batch_form form;
	size_t chunk_rows, chunk_bytes;
	size_t statement_rows; /* of one INSERT */
	/*
	 * An upsert of rows that are all new is an insert, and COPY does that in half the time. So it is
	 * tried: in chunks that begin small and grow, until one is refused; then the other way, for a chunk
	 * of full size.
	 */
	bool may_copy;
	bool upsert_checked;
	bool copies_next; /* the next chunk */
	size_t copy_rows; /* of that chunk at most */
	size_t row_head;  /* bytes of a row before its fields */
	bool one_by_one;  /* one row a statement: which ones RETURNING gives can't be told otherwise */

	/* SQL, made by batch_plan.c; NUL-terminated. */
	struct pgm_bytes copy_sql;
	struct pgm_bytes
		check_sql; /* where may_copy: has the server find the upsert's index and our rights */
	struct pgm_bytes insert_head; /* INSERT INTO t (...) */
	struct pgm_bytes insert_tail; /* ON CONFLICT ... RETURNING ... */

	/* Prepared statements: [0] unnest, [1 + n] VALUES with 2^n rows, [last] with statement_rows. */
	bool prepared[20];
	unsigned long long statement_tag;
	struct pgm_bytes *arrays; /* for unnest: one a column */
	const char **parameters;  /* room for one statement */
	int *lengths, *formats;
	Oid *types;

	bool callers_transaction;
	bool in_transaction; /* ours was begun, or the savepoint of the batch in the caller's */
	bool was_nonblocking;
	bool ended;
	bool stopped_by_callback;

	struct pgm_rows rows;
	struct pgm_keys keys;
	struct pgm_attempt attempt;
	struct pgm_bad_rows bad;
	struct pgm_returned returned;
	struct pgmend_value *values; /* one row */

	struct pgmend_batch_result result;
	int64_t rows_settled;
	int64_t rows_total;
	int64_t bytes_shown; /* bytes_sent at the last progress */
	double started_ms;
	struct pgmend_error end_error;
};

/* batch_plan.c: at open. */
bool pgm_batch_plan(struct pgmend_batch *b, struct pgmend_error *err);
/* The text of a prepared statement; index as in prepared[]. NULL: no memory. The caller frees. */
char *pgm_batch_statement(const struct pgmend_batch *b, size_t index);
/* How many rows the VALUES statement has. */
size_t pgm_batch_values_rows(const struct pgmend_batch *b, size_t index);
#define PGM_STATEMENT_UNNEST 0
#define PGM_STATEMENT_FULL   19
#define PGM_STATEMENT_NAME   "pgmend_%llx_%zu" /* statement_tag, index */

/* batch_rows.c */
bool pgm_rows_room(struct pgm_rows *rows);
void pgm_rows_done(struct pgm_rows *rows);
/* The encoded bytes of row i, and where they end. */
static inline const unsigned char *pgm_row_at(const struct pgm_rows *rows, size_t i)
{
	return rows->bytes.data + rows->rows[i].begin;
}
static inline size_t pgm_row_end(const struct pgm_rows *rows, size_t i)
{
	return i + 1 < rows->count ? rows->rows[i + 1].begin : rows->bytes.length;
}

/* batch_copy_text.c: one row as a line of COPY's text format. */
bool pgm_copy_text_held(int held);
bool pgm_copy_text_field(struct pgm_bytes *out, int held, const void *data, size_t length,
			 struct pgm_refusal *refusal);

/*
 * batch_keys.c: the last row of the chunk was just encoded, its key fields at fields[] (0-based place in the
 * key). Marks an earlier row as left out, or takes this one away again. False: no memory.
 */
bool pgm_keys_check(struct pgmend_batch *b, const size_t *fields, bool *taken_away);
/* A statement ends here: what comes next can't be in it. */
void pgm_keys_cut(struct pgmend_batch *b);
void pgm_keys_done(struct pgm_keys *keys);

/* batch_chunk.c */
bool pgm_chunk_added(struct pgmend_batch *b,
		     struct pgmend_error *err); /* a row was added: send what is due */
bool pgm_chunk_finish(struct pgmend_batch *b, struct pgmend_error *err); /* send all, and settle it */
bool pgm_batch_commit(struct pgmend_batch *b, struct pgmend_error *err);
/* Ends the batch: undoes what can be undone, and keeps why. False. */
bool pgm_batch_abort(struct pgmend_batch *b, const struct pgmend_error *why, struct pgmend_error *err);
bool pgm_batch_exec(struct pgmend_batch *b, const char *sql, struct pgmend_error *err);
bool pgm_batch_progress(struct pgmend_batch *b); /* false: stop */
void pgm_batch_take_xid(struct pgmend_batch *b, const PGresult *result);
/* What has to come before and after the rows of an attempt. */
#define PGM_COMMANDS_MAX 3
struct pgm_command {
	const char *sql; /* static */
	enum pgm_awaited_kind kind;
};
size_t pgm_attempt_before(const struct pgmend_batch *b, struct pgm_command *commands);
size_t pgm_attempt_after(const struct pgmend_batch *b, struct pgm_command *commands);
/* Remembers the first failure (without a result: what the connection says); false. */
bool pgm_attempt_fail(struct pgmend_batch *b, const PGresult *result, size_t bad_from, size_t bad_to);
/* Whether pgmend_batch_cancel() was called: the attempt has failed then. */
bool pgm_attempt_canceled(struct pgmend_batch *b);

/* batch_copy.c, batch_insert.c: false: the attempt has failed, and pgm_..._end() must be called. */
bool pgm_copy_begin(struct pgmend_batch *b);
bool pgm_copy_send(struct pgmend_batch *b, size_t to);
bool pgm_copy_end(struct pgmend_batch *b, bool give_up);
bool pgm_insert_begin(struct pgmend_batch *b);
bool pgm_insert_send(struct pgmend_batch *b, size_t to);
bool pgm_insert_end(struct pgmend_batch *b, bool give_up);

/* batch_bad.c. False: no memory. */
bool pgm_bad_add(struct pgmend_batch *b, int64_t position, const struct pgmend_error *why);
void pgm_bad_report(struct pgmend_batch *b); /* calls on_bad_row for what is new, in order */
void pgm_bad_done(struct pgm_bad_rows *bad);

/* batch_returned.c: takes result. False: no memory. */
bool pgm_returned_add(struct pgmend_batch *b, PGresult *result, size_t from, size_t to);
void pgm_returned_forget(struct pgm_returned *returned, size_t count); /* all but the first count blocks */
bool pgm_returned_deliver(struct pgmend_batch *b);		       /* false: on_returning said stop */
void pgm_returned_done(struct pgm_returned *returned);

#endif
