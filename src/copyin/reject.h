/*
 * The rows that a load leaves out: one file with their lines as they were (under the header of the file they
 * come from, so that it can be mended and loaded), and beside it FILE.reasons, a CSV that says why.
 *
 * Both are synced before the transaction commits that leaves the rows out, and cut to the recorded sizes by
 * a load that goes on: so each row is in them once.
 */
#ifndef PGM_COPYIN_REJECT_H
#define PGM_COPYIN_REJECT_H

#include "util/error.h"

#include <stddef.h>
#include <stdint.h>

#define PGM_REJECT_REASONS ".reasons"

struct pgm_reject;

/*
 * Sizes -1: new files, which must not hold anything yet; otherwise as much of them is kept. header: the line
 * that the first file begins with, or NULL.
 */
struct pgm_reject *pgm_reject_open(const char *path, int64_t reject_bytes, int64_t reason_bytes,
				   const char *header, size_t header_length,
				   struct pgm_error *err) PGM_MUST_CHECK;
/* Files that stayed empty go. NULL is fine. */
void pgm_reject_close(struct pgm_reject *reject);

struct pgm_reject_row {
	const char *file;
	int64_t line;
	const char *sqlstate, *column, *message;
	const char *data; /* as it stands in the file */
	size_t length;
};
bool pgm_reject_add(struct pgm_reject *reject, const struct pgm_reject_row *row,
		    struct pgm_error *err) PGM_MUST_CHECK;

/* Make what was added last on the disk, and say how long the files are. */
bool pgm_reject_sync(struct pgm_reject *reject, int64_t *reject_bytes, int64_t *reason_bytes,
		     struct pgm_error *err) PGM_MUST_CHECK;

/* Take back what was added since the last sync: its transaction was. */
bool pgm_reject_undo(struct pgm_reject *reject, struct pgm_error *err) PGM_MUST_CHECK;

#endif
