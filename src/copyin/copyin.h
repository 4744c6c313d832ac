/*
 * Loads CSV, TSV and NDJSON files into a table. Everything is checked that can be before the first row is
 * sent; what is committed is recorded in the same transaction (record.h), so a load that was stopped in
 * whatever way goes on exactly behind the last row that is there.
 *
 * Two ways lead to the server. Where nothing but COPY is asked, the rows' bytes go as they are and the server
 * parses them (stream.c). Where rows are to be rejected or upserted, or COPY would not do what INSERT does,
 * they are split here and written by libpgmend's batches (batch.c).
 */
#ifndef PGM_COPYIN_COPYIN_H
#define PGM_COPYIN_COPYIN_H

#include "copyin/frame.h"
#include "pg/conn.h"

#define PGM_COPYIN_COMMIT_BYTES	   ((int64_t)64 << 20)
#define PGM_COPYIN_LOCK_TIMEOUT_MS 1000
#define PGM_COPYIN_MAX_WAIT_MS	   (10 * 60 * 1000)
#define PGM_COPYIN_MAX_REJECTS	   1000

enum pgm_copyin_header {
	PGM_COPYIN_HEADER_YES,	/* the first line names the columns */
	PGM_COPYIN_HEADER_NO,	/* there is none */
	PGM_COPYIN_HEADER_MATCH /* it must name the table's columns (or --columns), in their order */
};

struct pgm_copyin_progress {
	const char *file;
	int64_t read_bytes, total_bytes; /* of all files, as they lie on the disk; total -1: not known */
	int64_t rows;			 /* sent in all */
	int64_t rejected;
};

struct pgm_copyin_options {
	const char *table;	  /* as in SQL */
	const char *const *files; /* "-" is standard input */
	size_t file_count;

	const char *format; /* csv, tsv, ndjson; NULL: by the name's ending, else csv */
	enum pgm_copyin_header header;
	const char *const *columns; /* of the fields, or of NDJSON those that count */
	size_t column_count;
	char delimiter, quote, escape; /* 0: the format's */
	const char *null_text;	       /* NULL: the format's */
	bool ignore_unknown;

	const char *const *conflict_key; /* none: a conflict is an error */
	size_t conflict_key_count;
	bool do_nothing; /* else the row that is there is updated */

	const char *reject;  /* file for rejected rows; NULL: the first one ends the load */
	int64_t max_rejects; /* more end the load */

	bool atomic;  /* one transaction */
	bool resume;  /* go on behind what is recorded */
	bool restart; /* begin anew though a load of a file was begun */
	bool dry_run;
	int64_t commit_bytes;  /* about so much in one transaction */
	int64_t max_row_bytes; /* a longer row ends the load */
	int64_t lock_timeout_ms, max_wait_ms;

	void (*on_progress)(void *arg, const struct pgm_copyin_progress *progress);
	void (*on_note)(void *arg, const char *text); /* what the user should know, while it runs */
	void *arg;
};

enum pgm_copyin_state {
	PGM_COPYIN_WAITING, /* nothing of it is committed */
	PGM_COPYIN_PARTLY,
	PGM_COPYIN_DONE,
	PGM_COPYIN_BEFORE /* an earlier run had loaded it */
};

struct pgm_copyin_file {
	const char *name;
	enum pgm_copyin_state state;
	int64_t rows; /* committed, as the server counts them; earlier runs included */
	int64_t rejected, duplicates, conflicts;
	int64_t line; /* of the first row that is not committed */
};

struct pgm_copyin_result {
	struct pgm_copyin_file *files;
	size_t file_count;
	int64_t rows, rejected, duplicates, conflicts; /* committed by this run */
	int64_t bytes;				       /* of the files, decompressed */
	double elapsed_ms;
	bool begun;    /* all was checked, and rows were under way */
	bool recorded; /* so --resume can go on */
	bool atomic;
	bool unknown;  /* the server was lost while it committed */
	bool by_batch; /* rows were split here */
};

/* result is filled in either case: what is committed stands in it. Texts live in the arena. */
bool pgm_copyin_run(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_copyin_options *options,
		    struct pgm_copyin_result *result, struct pgm_error *err) PGM_MUST_CHECK;

#endif
