/*
 * The bytes of a file, of standard input or of a gzip file, as they are read: bounded pieces, from the front.
 *
 * A regular file is read up to the size that it had when it was opened. One that is cut meanwhile is an
 * error; one that grows is read to its old end, and pgm_source_grew() tells.
 */
#ifndef PGM_COPYIN_SOURCE_H
#define PGM_COPYIN_SOURCE_H

#include "util/error.h"

#include <stddef.h>
#include <stdint.h>

#define PGM_SOURCE_HEAD_BYTES ((size_t)1 << 20) /* of a file, that tell it from others */

struct pgm_source;

/* What tells a file from others, wherever it lies: its size and a checksum of its first megabyte. */
struct pgm_source_identity {
	int64_t size;  /* -1: a stream */
	char head[65]; /* SHA-256 in hex */
};

/* "-" is standard input. PGM_ERR_INPUT where it can't be opened, or is a directory. */
struct pgm_source *pgm_source_open(const char *path, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_source_close(struct pgm_source *source); /* NULL is fine */

/* A pgm_copy_source: the next piece, decompressed; length 0 at the end. Valid until the next call. */
bool pgm_source_next(void *source, const char **data, size_t *length, struct pgm_error *err) PGM_MUST_CHECK;

/* Leave out the first bytes, counted decompressed; nothing may have been read yet. */
bool pgm_source_skip(struct pgm_source *source, int64_t bytes, struct pgm_error *err) PGM_MUST_CHECK;

const struct pgm_source_identity *pgm_source_identity(const struct pgm_source *source);

/* Whether it can be opened again: a regular file. */
bool pgm_source_is_regular(const struct pgm_source *source);

/* How far it is read, in bytes of the file itself; of standard input too. */
int64_t pgm_source_position(const struct pgm_source *source);

/* Whether it is longer now than when it was opened. */
bool pgm_source_grew(const struct pgm_source *source);

#endif
