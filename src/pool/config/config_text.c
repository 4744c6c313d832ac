#include "pool/config/config_parts.h"

#include "util/nearest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void pgm_config_problems_init(struct pgm_config_problems *problems)
{
	*problems = (struct pgm_config_problems){.arena = pgm_arena_new(0)};
}

void pgm_config_problems_done(struct pgm_config_problems *problems)
{
	pgm_arena_free(problems->arena);
	*problems = (struct pgm_config_problems){0};
}

static void add(struct pgm_config_problems *problems, struct pgm_config_place place, bool warning,
		const char *hint, const char *format, va_list args)
{
	problems->errors += !warning;
	if (problems->count >= PGM_CONFIG_PROBLEMS_MAX)
		return;
	problems->items = pgm_vec_grow_(problems->arena, problems->items, problems->count,
					&problems->capacity, sizeof(*problems->items));
	problems->items[problems->count++] = (struct pgm_config_problem){
		.file = pgm_strdup(problems->arena, place.file),
		.line = place.line,
		.column = place.column,
		.message = pgm_vsprintf(problems->arena, format, args),
		.hint = pgm_strdup(problems->arena, hint),
		.warning = warning,
	};
}

void pgm_config_error(struct pgm_config_problems *problems, struct pgm_config_place place, const char *hint,
		      const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(problems, place, false, hint, format, args);
	va_end(args);
}

void pgm_config_warning(struct pgm_config_problems *problems, struct pgm_config_place place, const char *hint,
			const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(problems, place, true, hint, format, args);
	va_end(args);
}

const char *pgm_config_did_you_mean(struct pgm_config_problems *problems, const char *typed,
				    const char *const *names, size_t count)
{
	const char *nearest = pgm_nearest(typed, names, count);
	return nearest ? pgm_sprintf(problems->arena, "Did you mean \"%s\"?", nearest) : NULL;
}

const char *pgm_config_problem_text(const struct pgm_config_problems *problems,
				    const struct pgm_config_problem *problem)
{
	const char *kind = problem->warning ? "warning: " : "";
	if (!problem->file)
		return pgm_sprintf(problems->arena, "%s%s", kind, problem->message);
	if (!problem->line)
		return pgm_sprintf(problems->arena, "%s: %s%s", problem->file, kind, problem->message);
	return pgm_sprintf(problems->arena, "%s:%d:%d: %s%s", problem->file, problem->line, problem->column,
			   kind, problem->message);
}

/* Reads until the end or bytes_max + 1. */
static bool read_all(int fd, struct pgm_config_text *text, size_t bytes_max)
{
	size_t capacity = (size_t)64 << 10;
	text->bytes = malloc(capacity + 1);
	text->length = 0;
	while (text->bytes) {
		if (text->length == capacity) {
			/* Not realloc(): it would leave a copy of what may be a password behind. */
			char *more = malloc(capacity * 2 + 1);
			if (more)
				memcpy(more, text->bytes, text->length);
			explicit_bzero(text->bytes, text->length);
			free(text->bytes);
			text->bytes = more;
			capacity *= 2;
			if (!more)
				break;
		}
		ssize_t got = read(fd, text->bytes + text->length, capacity - text->length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		text->length += (size_t)got;
		if (got == 0 || text->length > bytes_max) {
			text->bytes[text->length] = '\0';
			return true;
		}
	}
	errno = ENOMEM;
	return false;
}

bool pgm_config_text_read(struct pgm_config_text *text, const char *path, size_t bytes_max, const char *from,
			  int line, int column, struct pgm_config_problems *problems)
{
	struct pgm_config_place place = {from ? from : path, line, column};
	struct stat status;
	*text = (struct pgm_config_text){.path = pgm_strdup(problems->arena, path)};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &status) != 0 || (S_ISDIR(status.st_mode) && (errno = EISDIR)) ||
	    !read_all(fd, text, bytes_max)) {
		const char *hint = errno == ENOENT && *path != '/'
					   ? "A relative name is taken from where pgmend is started."
					   : NULL;
		pgm_config_error(problems, place, hint, "cannot read %s%s%s: %s", from ? "\"" : "the file",
				 from ? path : "", from ? "\"" : "", strerror(errno));
		if (fd >= 0)
			close(fd);
		pgm_config_text_wipe(text);
		return false;
	}
	close(fd);
	text->device = status.st_dev;
	text->inode = status.st_ino;
	text->mode = status.st_mode & 07777;
	if (text->length > bytes_max) {
		pgm_config_error(problems, (struct pgm_config_place){text->path, 0, 0}, NULL,
				 "the file is longer than %zu MB", bytes_max >> 20);
		pgm_config_text_wipe(text);
		return false;
	}
	if (pgm_config_text_check(text, problems))
		return true;
	pgm_config_text_wipe(text);
	return false;
}

bool pgm_config_text_check(const struct pgm_config_text *text, struct pgm_config_problems *problems)
{
	struct pgm_config_place place = {text->path, 1, 1};
	if (text->length >= 3 && memcmp(text->bytes, "\xEF\xBB\xBF", 3) == 0) {
		pgm_config_error(problems, place, "Save the file as UTF-8 without a byte order mark.",
				 "the file begins with a byte order mark");
		return false;
	}
	if (text->length >= 2 &&
	    (memcmp(text->bytes, "\xFF\xFE", 2) == 0 || memcmp(text->bytes, "\xFE\xFF", 2) == 0)) {
		pgm_config_error(problems, place, "Save the file as UTF-8.", "the file is UTF-16");
		return false;
	}
	const char *nul = memchr(text->bytes, '\0', text->length);
	if (!nul)
		return true;
	const char *line = text->bytes;
	for (const char *at = line; (at = memchr(at, '\n', (size_t)(nul - at))) != NULL; line = ++at)
		place.line++;
	place.column = (int)(nul - line) + 1;
	pgm_config_error(problems, place, NULL, "the file holds a NUL byte");
	return false;
}

void pgm_config_text_wipe(struct pgm_config_text *text)
{
	if (text->bytes)
		explicit_bzero(text->bytes, text->length);
	free(text->bytes);
	text->bytes = NULL;
	text->length = 0;
}

void pgm_config_text_judge_mode(const struct pgm_config_text *text, bool holds_secrets,
				struct pgm_config_problems *problems)
{
	struct pgm_config_place place = {text->path, 0, 0};
	if (!text->inode)
		return;
	if (holds_secrets && (text->mode & 0004))
		pgm_config_warning(problems, place,
				   pgm_sprintf(problems->arena, "chmod o-rwx %s", text->path),
				   "the file holds passwords, and everyone on this machine can read it");
	if (text->mode & 0002)
		pgm_config_warning(problems, place, pgm_sprintf(problems->arena, "chmod o-w %s", text->path),
				   "everyone on this machine can change the file");
}
