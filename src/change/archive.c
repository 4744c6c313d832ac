#include "change/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define CHUNK	  (256 << 10)
#define GZIP_MODE (15 + 16) /* zlib's way to say: a gzip header, the largest window */
#define LEVEL	  6
#define PART_NAME ".part"

struct pgm_archive_digest {
	EVP_MD_CTX *hash;
	int64_t rows, bytes;
};

struct pgm_archive_writer {
	char *path, *part;
	int fd;
	z_stream zip;
	bool zipping;
	bool published;
	int64_t written;
	struct pgm_archive_digest *digest;
	unsigned char out[CHUNK];
};

struct pgm_archive_reader {
	char *path;
	int fd;
	z_stream zip;
	bool ended; /* the stream is over */
	struct pgm_archive_digest *digest;
	unsigned char in[CHUNK];
	char out[CHUNK];
};

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static bool system_error(const char *what, const char *path, struct pgm_error *err)
{
	return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot %s %s: %s", what, path, strerror(errno));
}

struct pgm_archive_digest *pgm_archive_digest_new(void)
{
	struct pgm_archive_digest *digest = must(calloc(1, sizeof(*digest)));
	digest->hash = must(EVP_MD_CTX_new());
	if (!EVP_DigestInit_ex(digest->hash, EVP_sha256(), NULL))
		abort();
	return digest;
}

void pgm_archive_digest_add(struct pgm_archive_digest *digest, const char *data, size_t length)
{
	EVP_DigestUpdate(digest->hash, data, length);
	digest->bytes += (int64_t)length;
	for (const char *p = data; (p = memchr(p, '\n', length - (size_t)(p - data))) != NULL; p++)
		digest->rows++;
}

void pgm_archive_digest_end(struct pgm_archive_digest *digest, struct pgm_archive_sum *sum)
{
	unsigned char value[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	EVP_DigestFinal_ex(digest->hash, value, &length);
	*sum = (struct pgm_archive_sum){.rows = digest->rows, .bytes = digest->bytes};
	for (unsigned i = 0; i < length && i < 32; i++)
		snprintf(sum->sha256 + 2 * i, 3, "%02x", value[i]);
}

void pgm_archive_digest_free(struct pgm_archive_digest *digest)
{
	if (!digest)
		return;
	EVP_MD_CTX_free(digest->hash);
	free(digest);
}

bool pgm_archive_same(const struct pgm_archive_sum *a, const struct pgm_archive_sum *b)
{
	return a->rows == b->rows && a->bytes == b->bytes && strcmp(a->sha256, b->sha256) == 0;
}

bool pgm_archive_sync_folder(const char *path, struct pgm_error *err)
{
	const char *slash = strrchr(path, '/');
	char *folder = must(slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup("."));
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = (fd >= 0 && fsync(fd) == 0) || system_error("sync the folder", folder, err);
	if (fd >= 0)
		close(fd);
	free(folder);
	return ok;
}

/* Writing */

struct pgm_archive_writer *pgm_archive_create(const char *path, struct pgm_error *err)
{
	struct pgm_archive_writer *writer = must(calloc(1, sizeof(*writer)));
	writer->fd = -1;
	writer->path = must(strdup(path));
	if (asprintf(&writer->part, "%s" PART_NAME, path) < 0)
		abort();
	writer->fd = open(writer->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (writer->fd < 0) {
		system_error("create", writer->part, err);
		pgm_error_hint(err,
			       "--archive-dir is to be a folder on this machine that can be written to.");
		writer->published = true; /* nothing to remove */
		pgm_archive_free(writer);
		return NULL;
	}
	if (deflateInit2(&writer->zip, LEVEL, Z_DEFLATED, GZIP_MODE, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	writer->zipping = true;
	writer->digest = pgm_archive_digest_new();
	return writer;
}

static bool write_all(struct pgm_archive_writer *writer, size_t length, struct pgm_error *err)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = write(writer->fd, writer->out + done, length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return system_error("write to", writer->part, err);
		done += (size_t)n;
	}
	writer->written += (int64_t)length;
	return true;
}

static bool deflate_some(struct pgm_archive_writer *writer, int flush, struct pgm_error *err)
{
	do {
		writer->zip.next_out = writer->out;
		writer->zip.avail_out = CHUNK;
		if (deflate(&writer->zip, flush) == Z_STREAM_ERROR)
			return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot compress to %s", writer->part);
		if (!write_all(writer, CHUNK - writer->zip.avail_out, err))
			return false;
	} while (writer->zip.avail_out == 0);
	return true;
}

bool pgm_archive_add(struct pgm_archive_writer *writer, const char *data, size_t length,
		     struct pgm_error *err)
{
	pgm_archive_digest_add(writer->digest, data, length);
	writer->zip.next_in = (unsigned char *)data;
	writer->zip.avail_in = (unsigned)length;
	return deflate_some(writer, Z_NO_FLUSH, err);
}

bool pgm_archive_finish(struct pgm_archive_writer *writer, struct pgm_archive_sum *sum,
			int64_t *compressed_bytes, struct pgm_error *err)
{
	struct pgm_archive_sum again;
	writer->zip.avail_in = 0;
	if (!deflate_some(writer, Z_FINISH, err))
		return false;
	if (fsync(writer->fd) != 0)
		return system_error("sync", writer->part, err);
	int fd = writer->fd;
	writer->fd = -1;
	if (close(fd) != 0)
		return system_error("close", writer->part, err);
	pgm_archive_digest_end(writer->digest, sum);
	*compressed_bytes = writer->written;
	struct pgm_archive_reader *reader = pgm_archive_open(writer->part, err);
	bool ok = reader && pgm_archive_read_sum(reader, &again, err);
	pgm_archive_close(reader);
	if (ok && !pgm_archive_same(sum, &again))
		ok = pgm_error_set(err, PGM_ERR_SYSTEM, "%s does not read back as what was written",
				   writer->part);
	return ok;
}

bool pgm_archive_publish(struct pgm_archive_writer *writer, const struct pgm_archive_info *info,
			 struct pgm_error *err)
{
	if (!pgm_archive_info_write(writer->path, info, err))
		return false;
	if (rename(writer->part, writer->path) != 0)
		return system_error("rename to", writer->path, err);
	writer->published = true;
	return pgm_archive_sync_folder(writer->path, err);
}

void pgm_archive_free(struct pgm_archive_writer *writer)
{
	if (!writer)
		return;
	if (writer->zipping)
		deflateEnd(&writer->zip);
	if (writer->fd >= 0)
		close(writer->fd);
	if (!writer->published)
		unlink(writer->part);
	pgm_archive_digest_free(writer->digest);
	free(writer->path);
	free(writer->part);
	free(writer);
}

/* Reading */

struct pgm_archive_reader *pgm_archive_open(const char *path, struct pgm_error *err)
{
	struct pgm_archive_reader *reader = must(calloc(1, sizeof(*reader)));
	reader->path = must(strdup(path));
	reader->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (reader->fd < 0) {
		pgm_error_set(err, PGM_ERR_INPUT, "cannot open %s: %s", path, strerror(errno));
		free(reader->path);
		free(reader);
		return NULL;
	}
	if (inflateInit2(&reader->zip, GZIP_MODE) != Z_OK)
		abort();
	reader->digest = pgm_archive_digest_new();
	return reader;
}

static bool refill(struct pgm_archive_reader *reader, struct pgm_error *err)
{
	ssize_t n;
	do
		n = read(reader->fd, reader->in, CHUNK);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return system_error("read", reader->path, err);
	if (n == 0)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s ends too early: it is not whole", reader->path);
	reader->zip.next_in = reader->in;
	reader->zip.avail_in = (unsigned)n;
	return true;
}

bool pgm_archive_next(struct pgm_archive_reader *reader, const char **data, size_t *length,
		      struct pgm_error *err)
{
	reader->zip.next_out = (unsigned char *)reader->out;
	reader->zip.avail_out = CHUNK;
	while (!reader->ended && reader->zip.avail_out == CHUNK) {
		if (reader->zip.avail_in == 0 && !refill(reader, err))
			return false;
		int state = inflate(&reader->zip, Z_NO_FLUSH);
		if (state == Z_STREAM_END)
			reader->ended = true;
		else if (state != Z_OK)
			return pgm_error_set(err, PGM_ERR_INPUT, "%s is damaged: %s", reader->path,
					     reader->zip.msg ? reader->zip.msg : "not a gzip file");
	}
	*data = reader->out;
	*length = CHUNK - reader->zip.avail_out;
	pgm_archive_digest_add(reader->digest, *data, *length);
	return true;
}

bool pgm_archive_read_sum(struct pgm_archive_reader *reader, struct pgm_archive_sum *sum,
			  struct pgm_error *err)
{
	const char *data;
	size_t length;
	do
		if (!pgm_archive_next(reader, &data, &length, err))
			return false;
	while (length > 0);
	pgm_archive_digest_end(reader->digest, sum);
	return true;
}

void pgm_archive_close(struct pgm_archive_reader *reader)
{
	if (!reader)
		return;
	inflateEnd(&reader->zip);
	close(reader->fd);
	pgm_archive_digest_free(reader->digest);
	free(reader->path);
	free(reader);
}
