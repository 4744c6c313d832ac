/*
 * An archive of a table's rows: a gzip file of what COPY TO STDOUT gives (so that zcat and psql can load it),
 * and beside it FILE.json, which says what it holds: where it comes from, columns, row count and checksum.
 *
 * A file is made under another name, synced, read back and compared, and only then gets its own: FILE that is
 * there is whole. Both are made readable by their owner alone.
 */
#ifndef PGM_CHANGE_ARCHIVE_H
#define PGM_CHANGE_ARCHIVE_H

#include "util/arena.h"
#include "util/error.h"

#include <stddef.h>
#include <stdint.h>

#define PGM_ARCHIVE_VERSION 1
#define PGM_ARCHIVE_SUFFIX  ".copy.gz"

/* Of the bytes that COPY gave. */
struct pgm_archive_sum {
	int64_t rows; /* lines: COPY's text has no other newlines */
	int64_t bytes;
	char sha256[65]; /* hex */
};

struct pgm_archive_column {
	const char *name;
	const char *type; /* as format_type() says it */
	bool not_null;
};

/* What FILE.json says. */
struct pgm_archive_info {
	const char *database, *schema, *table;
	const char *parent_schema, *parent; /* that it was a partition of; NULL: not known */
	const char *low, *high;		    /* its bounds; NULL: open */
	const char *oid, *plan;		    /* of the table and of the Plan that archived it */
	const char *created_at;
	int64_t server_version;
	int64_t compressed_bytes;
	struct pgm_archive_column *columns;
	size_t column_count;
	struct pgm_archive_sum sum;
};

struct pgm_archive_writer;

/* Begin a file; what an earlier run left half written under the other name goes. */
struct pgm_archive_writer *pgm_archive_create(const char *path, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_archive_add(struct pgm_archive_writer *writer, const char *data, size_t length,
		     struct pgm_error *err) PGM_MUST_CHECK;

/* End and sync it, read it back, and compare. */
bool pgm_archive_finish(struct pgm_archive_writer *writer, struct pgm_archive_sum *sum,
			int64_t *compressed_bytes, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_archive_free(
	struct pgm_archive_writer *writer); /* NULL is fine; a file that is not published goes */

/* Give the finished file its name, after FILE.json got its own. */
bool pgm_archive_publish(struct pgm_archive_writer *writer, const struct pgm_archive_info *info,
			 struct pgm_error *err) PGM_MUST_CHECK;

/* *there: whether the file is there (perhaps only its FILE.json). PGM_ERR_INPUT where it is not understood.
 */
bool pgm_archive_info_read(struct pgm_arena *arena, const char *path, bool *there,
			   struct pgm_archive_info *info, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_archive_info_write(const char *path, const struct pgm_archive_info *info,
			    struct pgm_error *err) PGM_MUST_CHECK;

/* Reading the rows, piece by piece; *length 0 at the end, where sum is what was read. */
struct pgm_archive_reader;
struct pgm_archive_reader *pgm_archive_open(const char *path, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_archive_next(struct pgm_archive_reader *reader, const char **data, size_t *length,
		      struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_archive_read_sum(struct pgm_archive_reader *reader, struct pgm_archive_sum *sum,
			  struct pgm_error *err) PGM_MUST_CHECK;
void pgm_archive_close(struct pgm_archive_reader *reader); /* NULL is fine */

/* A running sum, for who has no file. */
struct pgm_archive_digest;
struct pgm_archive_digest *pgm_archive_digest_new(void);
void pgm_archive_digest_add(struct pgm_archive_digest *digest, const char *data, size_t length);
void pgm_archive_digest_end(struct pgm_archive_digest *digest, struct pgm_archive_sum *sum);
void pgm_archive_digest_free(struct pgm_archive_digest *digest);

bool pgm_archive_same(const struct pgm_archive_sum *a, const struct pgm_archive_sum *b);

/* fsync the folder that holds path. */
bool pgm_archive_sync_folder(const char *path, struct pgm_error *err) PGM_MUST_CHECK;

#endif
