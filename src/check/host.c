#include "check/host.h"

#include "util/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LINE_BYTES 4096

/* The first line of a small file; false where there is none. */
static bool first_line(const char *path, char line[LINE_BYTES])
{
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	bool ok = fgets(line, LINE_BYTES, file) != NULL;
	fclose(file);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

/* A socket may lead into a container, whose processes are not where we look. */
static bool backend_is_here(struct pgm_arena *arena, int pid)
{
	char line[LINE_BYTES];
	return first_line(pgm_sprintf(arena, "/proc/%d/comm", pid), line) &&
	       strncmp(line, "postgres", 8) == 0;
}

/* The limit of one control group, "max" and the like read as none. */
static int64_t limit_at(struct pgm_arena *arena, const char *root, const char *group, const char *name)
{
	char line[LINE_BYTES];
	if (!first_line(pgm_sprintf(arena, "%s%s/%s", root, group, name), line))
		return 0;
	long long limit = strtoll(line, NULL, 10);
	return limit > 0 ? limit : 0;
}

static int64_t memory_of(struct pgm_arena *arena, int pid)
{
	int64_t memory = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	FILE *groups = fopen(pgm_sprintf(arena, "/proc/%d/cgroup", pid), "re");
	char line[LINE_BYTES];
	while (groups && fgets(line, sizeof(line), groups)) {
		line[strcspn(line, "\n")] = '\0';
		int64_t limit = 0;
		char *one = strstr(line, ":memory:");
		if (one)
			limit = limit_at(arena, "/sys/fs/cgroup/memory", one + strlen(":memory:"),
					 "memory.limit_in_bytes");
		else if (strncmp(line, "0::", 3) == 0)
			limit = limit_at(arena, "/sys/fs/cgroup", line + 3, "memory.max");
		if (limit && limit < memory)
			memory = limit;
	}
	if (groups)
		fclose(groups);
	return memory;
}

/* Disks of virtual machines often say that they seek where they do not; one that says it does not is right.
 */
static int seeks_at(struct pgm_arena *arena, const char *path)
{
	struct stat found;
	char line[LINE_BYTES];
	if (!path || stat(path, &found) != 0)
		return -1;
	const char *device =
		pgm_sprintf(arena, "/sys/dev/block/%u:%u", major(found.st_dev), minor(found.st_dev));
	/* A partition has its disk above it. */
	if (!first_line(pgm_sprintf(arena, "%s/queue/rotational", device), line) &&
	    !first_line(pgm_sprintf(arena, "%s/../queue/rotational", device), line))
		return -1;
	return *line == '0' ? 0 : 1;
}

bool pgm_check_host_read(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_check_host *host,
			 struct pgm_error *err)
{
	const char *socket = pgm_conn_host(conn);
	*host = (struct pgm_check_host){.seeks = -1};
	if (!socket || *socket != '/' || !backend_is_here(arena, pgm_conn_pid(conn)))
		return true;
	host->memory_bytes = memory_of(arena, pgm_conn_pid(conn));
	char *directory;
	if (!pgm_conn_value(conn, arena,
			    "SELECT s.setting FROM pg_catalog.pg_settings AS s "
			    "WHERE s.name = 'data_directory'",
			    0, NULL, &directory, err))
		return false;
	host->seeks = seeks_at(arena, directory);
	return true;
}
