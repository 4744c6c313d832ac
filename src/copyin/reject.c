#include "copyin/reject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct side {
	char *path;
	FILE *stream;
	int64_t synced_bytes;
	int64_t head_bytes; /* it is as good as empty up to here */
};

struct pgm_reject {
	struct side rows, reasons;
};

static bool cannot(const char *what, const struct side *side, struct pgm_error *err)
{
	return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot %s %s: %s", what, side->path, strerror(errno));
}

/* Whether what is there begins as ours do: left by a run that was killed before its first commit. */
static bool is_ours(FILE *stream, const char *head, size_t length)
{
	char *found = malloc(length + 1);
	bool ours = found && length > 0 && fread(found, 1, length, stream) == length &&
		    memcmp(found, head, length) == 0;
	free(found);
	return ours;
}

static bool open_side(struct side *side, int64_t keep_bytes, const char *head, size_t length,
		      struct pgm_error *err)
{
	struct stat file;
	int fd = open(side->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fstat(fd, &file) != 0 || !(side->stream = fdopen(fd, "r+e"))) {
		if (fd >= 0)
			close(fd);
		return cannot("create", side, err);
	}
	bool ours = keep_bytes > 0 || (keep_bytes == 0 && is_ours(side->stream, head, length));
	if (!ours && file.st_size > 0) {
		pgm_error_set(err, PGM_ERR_INPUT, "%s is there and not empty", side->path);
		fclose(side->stream);
		side->stream = NULL;
		return pgm_error_hint(err, "Rejected rows go to a new file: give another name or remove it.");
	}
	if (keep_bytes > file.st_size)
		keep_bytes = file.st_size;
	side->synced_bytes = keep_bytes > 0 ? keep_bytes : 0;
	if (ftruncate(fd, (off_t)side->synced_bytes) != 0 ||
	    fseeko(side->stream, (off_t)side->synced_bytes, SEEK_SET) != 0)
		return cannot("write to", side, err);
	return true;
}

static bool begin_side(struct side *side, const char *head, size_t length, struct pgm_error *err)
{
	if (side->synced_bytes > 0)
		return true;
	if (length > 0 && (fwrite(head, 1, length, side->stream) != length || fflush(side->stream) != 0))
		return cannot("write to", side, err);
	side->synced_bytes = side->head_bytes = (int64_t)length;
	return true;
}

struct pgm_reject *pgm_reject_open(const char *path, int64_t reject_bytes, int64_t reason_bytes,
				   const char *header, size_t header_length, struct pgm_error *err)
{
	static const char reasons_head[] = "file,line,sqlstate,column,message\n";
	struct pgm_reject *reject = calloc(1, sizeof(*reject));
	char *line = malloc(header_length + 1);
	if (!reject || !line || !(reject->rows.path = strdup(path)) ||
	    asprintf(&reject->reasons.path, "%s" PGM_REJECT_REASONS, path) < 0)
		abort();
	if (header) {
		memcpy(line, header, header_length);
		line[header_length++] = '\n';
	}
	size_t length = header ? header_length : 0, reasons_length = sizeof(reasons_head) - 1;
	bool ok = open_side(&reject->rows, reject_bytes, line, length, err) &&
		  open_side(&reject->reasons, reason_bytes, reasons_head, reasons_length, err) &&
		  begin_side(&reject->rows, line, length, err) &&
		  begin_side(&reject->reasons, reasons_head, reasons_length, err);
	free(line);
	if (ok)
		return reject;
	pgm_reject_close(reject);
	return NULL;
}

static void close_side(struct side *side, bool remove)
{
	if (side->stream) {
		fclose(side->stream);
		if (remove)
			unlink(side->path);
	}
	free(side->path);
}

void pgm_reject_close(struct pgm_reject *reject)
{
	if (!reject)
		return;
	/* Ones that were not opened at all stay as they are. */
	bool empty = reject->reasons.stream && reject->rows.synced_bytes <= reject->rows.head_bytes &&
		     reject->reasons.synced_bytes <= reject->reasons.head_bytes;
	close_side(&reject->rows, empty);
	close_side(&reject->reasons, empty);
	free(reject);
}

static void put_csv(FILE *stream, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		fputs(text, stream);
		return;
	}
	fputc('"', stream);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', stream);
		fputc(*text, stream);
	}
	fputc('"', stream);
}

bool pgm_reject_add(struct pgm_reject *reject, const struct pgm_reject_row *row, struct pgm_error *err)
{
	FILE *reasons = reject->reasons.stream;
	if (fwrite(row->data, 1, row->length, reject->rows.stream) != row->length ||
	    fputc('\n', reject->rows.stream) == EOF)
		return cannot("write to", &reject->rows, err);
	put_csv(reasons, row->file);
	fprintf(reasons, ",%lld,%s,", (long long)row->line, row->sqlstate);
	put_csv(reasons, row->column ? row->column : "");
	fputc(',', reasons);
	put_csv(reasons, row->message);
	return fputc('\n', reasons) != EOF || cannot("write to", &reject->reasons, err);
}

static bool sync_side(struct side *side, int64_t *bytes, struct pgm_error *err)
{
	off_t length = ftello(side->stream);
	if (length != (off_t)side->synced_bytes &&
	    (fflush(side->stream) != 0 || fsync(fileno(side->stream)) != 0))
		return cannot("write to", side, err);
	*bytes = side->synced_bytes = (int64_t)length;
	return true;
}

bool pgm_reject_sync(struct pgm_reject *reject, int64_t *reject_bytes, int64_t *reason_bytes,
		     struct pgm_error *err)
{
	return sync_side(&reject->rows, reject_bytes, err) && sync_side(&reject->reasons, reason_bytes, err);
}

static bool undo_side(struct side *side, struct pgm_error *err)
{
	return (fflush(side->stream) == 0 &&
		ftruncate(fileno(side->stream), (off_t)side->synced_bytes) == 0 &&
		fseeko(side->stream, (off_t)side->synced_bytes, SEEK_SET) == 0) ||
	       cannot("write to", side, err);
}

bool pgm_reject_undo(struct pgm_reject *reject, struct pgm_error *err)
{
	return undo_side(&reject->rows, err) && undo_side(&reject->reasons, err);
}
