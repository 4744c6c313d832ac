#include "cluster/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "/data/.s.PGSQL.5432"

/* Why no cluster can live in the folder, or NULL. */
static const char *unfit(const char *parent, size_t name_length, const struct pgm_account *account)
{
	struct stat found;
	if (stat(parent, &found) != 0)
		return strerror(errno);
	if (!S_ISDIR(found.st_mode))
		return "it is not a folder";
	if (access(parent, W_OK | X_OK) != 0)
		return strerror(errno);
	if (strlen(parent) + 1 + name_length + strlen(SOCKET_NAME) >=
	    sizeof(((struct sockaddr_un *)0)->sun_path))
		return "its path is too long for a socket below it";
	for (const char *at = parent; *at; at++)
		if (*at == ',' || (unsigned char)*at < ' ')
			return "the name of a socket's folder cannot have a comma or a control character";
	if (account->differs && !pgm_account_can_enter(account, parent))
		return "the server's user may not enter it";
	return NULL;
}

static char *make_in(struct pgm_arena *arena, const char *parent, const char *name,
		     const struct pgm_account *account, struct pgm_error *err)
{
	char *path = pgm_sprintf(arena, "%s/%s-XXXXXX", strcmp(parent, "/") == 0 ? "" : parent, name);
	if (!mkdtemp(path)) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "making a folder in %s: %s", parent, strerror(errno));
		return NULL;
	}
	/* As root the folder stays ours, so that no other account can slip links into it. */
	char *data = pgm_sprintf(arena, "%s/data", path);
	bool ok = mkdir(data, 0700) == 0;
	if (ok && account->differs)
		ok = chmod(path, 0711) == 0 && chown(data, account->uid, account->gid) == 0;
	if (!ok) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "making %s: %s", data, strerror(errno));
		pgm_folder_remove(path);
		return NULL;
	}
	return path;
}

char *pgm_folder_make(struct pgm_arena *arena, const char *parent, const char *name,
		      const struct pgm_account *account, struct pgm_error *err)
{
	size_t name_length = strlen(name) + strlen("-XXXXXX");
	const char *given = parent ? parent : getenv("TMPDIR");
	errno = ENOENT;
	char *absolute = given && *given ? realpath(given, NULL) : NULL;
	const char *why = absolute ? unfit(absolute, name_length, account) : strerror(errno);
	char *path = NULL;
	if (!why) {
		path = make_in(arena, absolute, name, account, err);
	} else if (!parent) {
		/* A TMPDIR of root's own, say, is no fault of theirs: the usual place will do. */
		why = unfit("/tmp", name_length, account);
		path = why ? NULL : make_in(arena, "/tmp", name, account, err);
		given = "/tmp";
	}
	if (why) {
		pgm_error_set(err, PGM_ERR_USAGE, "no server can live in %s: %s", given, why);
		pgm_error_hint(err, "Name another folder.");
	}
	free(absolute);
	return path;
}

static bool remove_below(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	if (!stream) {
		int number = errno;
		if (fd >= 0)
			close(fd);
		errno = number;
		return number == ENOENT;
	}
	bool ok = true;
	const struct dirent *entry;
	while ((entry = readdir(stream)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM)
			ok = false;
		else if (!remove_below(fd, entry->d_name))
			ok = false;
	}
	closedir(stream);
	return (unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT) && ok;
}

bool pgm_folder_remove(const char *path)
{
	return remove_below(AT_FDCWD, path);
}
