#include "change/emit/emit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAMP_DIGITS 14

/* The folder and what leads to it. */
static bool make_folder(struct pgm_arena *arena, const char *folder, struct pgm_error *err)
{
	char *path = pgm_strdup(arena, folder);
	for (char *p = path + 1; *path && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(path, 0777); /* what went wrong shows at the last one */
		*p = '/';
	}
	struct stat found;
	if (mkdir(path, 0777) == 0)
		return true;
	int error = errno;
	if (error == EEXIST && stat(path, &found) == 0 && S_ISDIR(found.st_mode))
		return true;
	return pgm_error_set(err, PGM_ERR_INPUT, "cannot make the folder %s: %s", folder,
			     error == EEXIST ? "it is no folder" : strerror(error));
}

static bool write_new(const char *path, const char *text, struct pgm_error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "w");
	if (!stream) {
		int error = errno;
		if (fd >= 0)
			close(fd);
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot write %s: %s", path, strerror(error));
	}
	size_t length = strlen(text);
	bool ok = fwrite(text, 1, length, stream) == length;
	ok = fclose(stream) == 0 && ok;
	if (!ok) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "cannot write %s: %s", path, strerror(errno));
		unlink(path);
	}
	return ok;
}

/* The folder of a file that has one for itself ("x/migration.sql"), or NULL. */
static const char *own_folder(struct pgm_arena *arena, const char *folder, const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? pgm_sprintf(arena, "%s/%.*s", folder, (int)(slash - path), path) : NULL;
}

static bool write_one(struct pgm_arena *arena, const char *folder, const struct pgm_emit_file *file,
		      struct pgm_error *err)
{
	const char *own = own_folder(arena, folder, file->path);
	if (own && mkdir(own, 0777) != 0)
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot make the folder %s: %s", own,
				     strerror(errno));
	if (write_new(pgm_sprintf(arena, "%s/%s", folder, file->path), file->text, err))
		return true;
	if (own)
		rmdir(own);
	return false;
}

bool pgm_emit_write(struct pgm_arena *arena, const char *folder, const struct pgm_emit_files *files,
		    struct pgm_error *err)
{
	if (!make_folder(arena, folder, err))
		return false;
	size_t done = 0;
	while (done < files->count && write_one(arena, folder, &files->items[done], err))
		done++;
	if (done == files->count)
		return true;
	while (done-- > 0) {
		const char *own = own_folder(arena, folder, files->items[done].path);
		unlink(pgm_sprintf(arena, "%s/%s", folder, files->items[done].path));
		if (own)
			rmdir(own);
	}
	return false;
}

/* The time stamp that a name begins with, perhaps after Flyway's letter; -1 for none. */
static time_t stamp_of(const char *name)
{
	struct tm at = {0};
	name += *name == 'V' || *name == 'U';
	if (strspn(name, "0123456789") != STAMP_DIGITS ||
	    sscanf(name, "%4d%2d%2d%2d%2d%2d", &at.tm_year, &at.tm_mon, &at.tm_mday, &at.tm_hour, &at.tm_min,
		   &at.tm_sec) != 6 ||
	    at.tm_year < 2000 || at.tm_mon < 1 || at.tm_mon > 12)
		return -1;
	at.tm_year -= 1900;
	at.tm_mon -= 1;
	return timegm(&at);
}

time_t pgm_emit_first_version(const char *folder, time_t now)
{
	const time_t day = 24 * 60 * 60;
	time_t first = now;
	DIR *dir = opendir(folder);
	if (!dir)
		return first;
	/* A name from far in the future is a mistake, or no time: following it would only spread it. */
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		time_t at = stamp_of(entry->d_name);
		if (at >= first && at < now + day)
			first = at + 1;
	}
	closedir(dir);
	return first;
}
