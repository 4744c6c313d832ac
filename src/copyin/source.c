#include "copyin/source.h"

#include "change/archive.h"
#include "util/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE_BYTES   ((size_t)256 << 10)
#define GZIP_MODE     (15 + 16) /* zlib's way to say: a gzip header, the largest window */
#define GZIP_MAGIC    "\x1f\x8b"
#define WAIT_AGAIN_MS 200 /* how soon Ctrl-C is seen where a pipe gives nothing */

struct pgm_source {
	char *path;
	int fd;
	bool regular;
	int64_t size_bytes; /* when it was opened; -1: a stream */
	int64_t read_bytes;
	struct pgm_source_identity identity;

	char *in; /* what is read ahead: first the head of the file */
	size_t in_at, in_length;
	bool in_ended;

	bool gzip;
	bool inflating; /* within a member: a gzip file may have several */
	z_stream zip;
	char *out;
	const char *kept; /* what a skip left over of the last piece */
	size_t kept_length;
};

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static bool cut_short(const struct pgm_source *source, struct pgm_error *err)
{
	return pgm_error_set(err, PGM_ERR_INPUT, "%s was cut while it was read: it had %lld bytes, now %lld",
			     source->path, (long long)source->size_bytes, (long long)source->read_bytes);
}

/* Once, whatever is there; a signal that stops the program ends the wait for a pipe. */
static bool read_some(struct pgm_source *source, char *into, size_t room, size_t *length,
		      struct pgm_error *err)
{
	*length = 0;
	if (source->size_bytes >= 0 && (int64_t)room > source->size_bytes - source->read_bytes)
		room = (size_t)(source->size_bytes - source->read_bytes);
	while (room > 0) {
		struct pollfd wait = {.fd = source->fd, .events = POLLIN};
		if (pgm_interrupted())
			return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
		if (!source->regular && poll(&wait, 1, WAIT_AGAIN_MS) <= 0)
			continue;
		ssize_t n = read(source->fd, into, room);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return pgm_error_set(err, PGM_ERR_INPUT, "cannot read %s: %s", source->path,
					     strerror(errno));
		if (n == 0)
			return source->size_bytes < 0 || cut_short(source, err);
		source->read_bytes += n;
		*length = (size_t)n;
		break;
	}
	return true;
}

/* As much of the first megabyte as there is, kept to be given out first. */
static bool read_head(struct pgm_source *source, struct pgm_error *err)
{
	size_t length = 1;
	source->in = must(malloc(PGM_SOURCE_HEAD_BYTES));
	while (length > 0 && source->in_length < PGM_SOURCE_HEAD_BYTES) {
		if (!read_some(source, source->in + source->in_length,
			       PGM_SOURCE_HEAD_BYTES - source->in_length, &length, err))
			return false;
		source->in_length += length;
	}
	source->in_ended = length == 0;
	source->gzip = source->in_length >= 2 && memcmp(source->in, GZIP_MAGIC, 2) == 0;

	struct pgm_archive_sum sum;
	struct pgm_archive_digest *digest = pgm_archive_digest_new();
	pgm_archive_digest_add(digest, source->in, source->in_length);
	pgm_archive_digest_end(digest, &sum);
	pgm_archive_digest_free(digest);
	source->identity.size = source->size_bytes;
	memcpy(source->identity.head, sum.sha256, sizeof(source->identity.head));
	return true;
}

static bool open_path(struct pgm_source *source, struct pgm_error *err)
{
	struct stat file;
	bool standard = strcmp(source->path, "-") == 0;
	source->fd = standard ? dup(STDIN_FILENO) : open(source->path, O_RDONLY | O_CLOEXEC);
	if (standard) {
		free(source->path);
		source->path = must(strdup("standard input"));
	}
	if (source->fd < 0 || fstat(source->fd, &file) != 0)
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot open %s: %s", source->path, strerror(errno));
	if (S_ISDIR(file.st_mode))
		return pgm_error_set(err, PGM_ERR_INPUT, "%s is a directory", source->path);
	source->regular = S_ISREG(file.st_mode) && !standard;
	source->size_bytes = source->regular ? (int64_t)file.st_size : -1;
	return true;
}

struct pgm_source *pgm_source_open(const char *path, struct pgm_error *err)
{
	struct pgm_source *source = must(calloc(1, sizeof(*source)));
	source->fd = -1;
	source->path = must(strdup(path));
	if (!open_path(source, err) || !read_head(source, err)) {
		pgm_source_close(source);
		return NULL;
	}
	if (source->gzip)
		source->out = must(malloc(PIECE_BYTES));
	return source;
}

void pgm_source_close(struct pgm_source *source)
{
	if (!source)
		return;
	if (source->inflating)
		inflateEnd(&source->zip);
	if (source->fd >= 0)
		close(source->fd);
	free(source->path);
	free(source->in);
	free(source->out);
	free(source);
}

/* More of the file itself, where all that was read ahead is given out. */
static bool refill(struct pgm_source *source, struct pgm_error *err)
{
	if (source->in_at < source->in_length || source->in_ended)
		return true;
	source->in_at = 0;
	if (!read_some(source, source->in, PIECE_BYTES, &source->in_length, err))
		return false;
	source->in_ended = source->in_length == 0;
	return true;
}

static bool damaged(struct pgm_source *source, const char *why, struct pgm_error *err)
{
	return pgm_error_set(err, PGM_ERR_INPUT, "%s is damaged as a gzip file: %s", source->path, why);
}

static bool next_inflated(struct pgm_source *source, const char **data, size_t *length, struct pgm_error *err)
{
	source->zip.next_out = (unsigned char *)source->out;
	source->zip.avail_out = PIECE_BYTES;
	while (source->zip.avail_out == PIECE_BYTES) {
		if (!refill(source, err))
			return false;
		size_t left = source->in_length - source->in_at;
		if (left == 0 && source->inflating)
			return damaged(source, "it ends too early", err);
		if (left == 0)
			break;
		if (!source->inflating) {
			z_stream fresh = {.next_out = source->zip.next_out, .avail_out = PIECE_BYTES};
			source->zip = fresh;
			if (inflateInit2(&source->zip, GZIP_MODE) != Z_OK)
				abort();
			source->inflating = true;
		}
		source->zip.next_in = (unsigned char *)source->in + source->in_at;
		source->zip.avail_in = (unsigned)left;
		int state = inflate(&source->zip, Z_NO_FLUSH);
		source->in_at = source->in_length - source->zip.avail_in;
		if (state == Z_STREAM_END) {
			size_t room = source->zip.avail_out;
			inflateEnd(&source->zip);
			source->inflating = false;
			source->zip.avail_out = (unsigned)room;
		} else if (state != Z_OK && state != Z_BUF_ERROR) {
			return damaged(source, source->zip.msg ? source->zip.msg : "no gzip data", err);
		}
	}
	*data = source->out;
	*length = PIECE_BYTES - source->zip.avail_out;
	return true;
}

bool pgm_source_next(void *arg, const char **data, size_t *length, struct pgm_error *err)
{
	struct pgm_source *source = arg;
	if (source->kept_length > 0) {
		*data = source->kept;
		*length = source->kept_length;
		source->kept_length = 0;
		return true;
	}
	if (source->gzip)
		return next_inflated(source, data, length, err);
	if (!refill(source, err))
		return false;
	*data = source->in + source->in_at;
	*length = source->in_length - source->in_at;
	source->in_at = source->in_length;
	return true;
}

bool pgm_source_skip(struct pgm_source *source, int64_t bytes, struct pgm_error *err)
{
	if (source->regular && !source->gzip && bytes > (int64_t)source->in_length) {
		if (bytes > source->size_bytes || lseek(source->fd, (off_t)bytes, SEEK_SET) < 0)
			return pgm_error_set(err, PGM_ERR_INPUT, "%s has no byte %lld", source->path,
					     (long long)bytes);
		source->read_bytes = bytes;
		source->in_at = source->in_length = 0;
		source->in_ended = false;
		return true;
	}
	while (bytes > 0) {
		const char *data;
		size_t length;
		if (!pgm_source_next(source, &data, &length, err))
			return false;
		if (length == 0)
			return pgm_error_set(err, PGM_ERR_INPUT, "%s ends before the row to go on with",
					     source->path);
		if ((int64_t)length > bytes) {
			source->kept = data + bytes;
			source->kept_length = length - (size_t)bytes;
			return true;
		}
		bytes -= (int64_t)length;
	}
	return true;
}

const struct pgm_source_identity *pgm_source_identity(const struct pgm_source *source)
{
	return &source->identity;
}

bool pgm_source_is_regular(const struct pgm_source *source)
{
	return source->regular;
}

int64_t pgm_source_position(const struct pgm_source *source)
{
	return source->read_bytes - (int64_t)(source->in_length - source->in_at);
}

bool pgm_source_grew(const struct pgm_source *source)
{
	struct stat file;
	return source->regular && fstat(source->fd, &file) == 0 && file.st_size > source->size_bytes;
}
