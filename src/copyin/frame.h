/*
 * Where the rows of a CSV, TSV or NDJSON file begin and end, found while it streams by; the same whatever
 * pieces it comes in. Nothing else of a row is looked at but its encoding.
 *
 * The rules are those of COPY (src/backend/commands/copyfromparse.c, CopyReadLineText): in CSV a newline
 * within quotes is data, in TSV one behind a backslash is. The first line ending (\n, \r\n or \r) is taken
 * to be that of the whole file. A byte order mark at the front is left out.
 */
#ifndef PGM_COPYIN_FRAME_H
#define PGM_COPYIN_FRAME_H

#include "pg/copy.h"

enum pgm_copyin_format { PGM_COPYIN_CSV, PGM_COPYIN_TSV, PGM_COPYIN_NDJSON };

/* How a file is written. NDJSON needs none of the letters. */
struct pgm_copyin_dialect {
	enum pgm_copyin_format format;
	char delimiter, quote, escape; /* escape is quote where COPY's would be */
	const char *null_text;	       /* what stands for NULL, unquoted */
};

#define PGM_FRAME_MAX_BYTES ((int64_t)1 << 30) /* of one row: the server takes no longer line */

struct pgm_frame_record {
	const char *data; /* as it stands in the file */
	size_t length;	  /* without its line ending */
	int64_t line;	  /* where it begins, from 1 */
	int64_t lines;	  /* it takes so many */
	int64_t offset;	  /* of its first byte in the file, decompressed */
	int64_t end;	  /* and of the first behind its line ending */
	/* NULL, or why it can't be taken: not UTF-8. The byte and its place are in fault_offset. */
	const char *fault;
	int64_t fault_offset;
};

struct pgm_framer;

/*
 * source gives the bytes, from offset on, which is where line begins; no row may have max_bytes. Neither name
 * nor dialect is copied.
 */
struct pgm_framer *pgm_framer_new(const char *name, const struct pgm_copyin_dialect *dialect,
				  int64_t max_bytes, pgm_copy_source *source, void *arg, int64_t offset,
				  int64_t line);
void pgm_framer_free(struct pgm_framer *framer); /* NULL is fine */

/*
 * The next row; *got is false at the end. It is valid until the next call. Blank lines of NDJSON are left
 * out. Fails with PGM_ERR_INPUT where a quote is never closed (and names its line) or a row is too long.
 */
bool pgm_framer_next(struct pgm_framer *framer, struct pgm_frame_record *record, bool *got,
		     struct pgm_error *err) PGM_MUST_CHECK;

/* A row more than once: the next call gives the same one again. */
void pgm_framer_again(struct pgm_framer *framer);

/* How the lines end, "\n" until one is seen. */
const char *pgm_framer_line_end(const struct pgm_framer *framer);

#endif
