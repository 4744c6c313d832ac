#include "util/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

bool pgm_file_read(struct pgm_arena *arena, const char *path, size_t max_bytes, char **text,
		   struct pgm_error *err)
{
	FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (!stream)
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot open %s: %s", path, strerror(errno));
	size_t capacity = 1 << 16, length = 0;
	char *buffer = malloc(capacity);
	size_t got;
	while (buffer && (got = fread(buffer + length, 1, capacity - length, stream)) > 0) {
		length += got;
		if (length < capacity)
			continue;
		if (capacity >= max_bytes)
			break;
		capacity *= 2;
		char *bigger = realloc(buffer, capacity);
		if (!bigger)
			free(buffer);
		buffer = bigger;
	}
	bool failed = !buffer || ferror(stream), large = buffer && length >= max_bytes;
	int problem = errno;
	if (stream != stdin)
		fclose(stream);
	bool binary = !failed && !large && memchr(buffer, '\0', length);
	if (!failed && !large && !binary)
		*text = pgm_strndup(arena, buffer, length);
	free(buffer);
	if (failed)
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot read %s: %s", path, strerror(problem));
	if (large)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s is larger than %zu MB", path, max_bytes >> 20);
	if (binary)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s is no text: there is a byte 0 in it", path);
	return true;
}

bool pgm_file_replace(struct pgm_arena *arena, const char *path, const char *text, struct pgm_error *err)
{
	char *beside = pgm_sprintf(arena, "%s.XXXXXX", path);
	int fd = mkstemp(beside);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "w");
	size_t length = strlen(text);
	mode_t mask = umask(0);
	umask(mask);
	bool ok = stream && fwrite(text, 1, length, stream) == length && fflush(stream) == 0 &&
		  fchmod(fd, 0666 & ~mask) == 0 && fsync(fd) == 0;
	int problem = errno;
	if (stream)
		fclose(stream);
	else if (fd >= 0)
		close(fd);
	if (ok && rename(beside, path) == 0)
		return true;
	if (ok)
		problem = errno;
	if (fd >= 0)
		unlink(beside);
	return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot write %s: %s", path, strerror(problem));
}

uint64_t pgm_file_limit_raise(uint64_t wanted)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return wanted;
	if (limit.rlim_cur < wanted) {
		limit.rlim_cur =
			limit.rlim_max == RLIM_INFINITY || wanted < limit.rlim_max ? wanted : limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_cur;
}
