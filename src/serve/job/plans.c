#include "serve/job/plans.h"

#include "util/clock.h"
#include "util/file.h"
#include "util/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRATCH "scratch-"

struct pgm_plans {
	pthread_mutex_t lock;
	char *folder;
	bool temporary;
};

/* A file of the folder. */
struct entry {
	char name[256];
	struct timespec changed;
	size_t bytes;
};

bool pgm_plans_id_valid(const char *id)
{
	return strlen(id) == PGM_PLAN_ID_LENGTH && strspn(id, "0123456789abcdef") == PGM_PLAN_ID_LENGTH;
}

/* A database's name can be anything: its files begin with its hash. */
static char *prefix_of(struct pgm_arena *arena, const char *database)
{
	return pgm_sprintf(arena, "%016llx-", (unsigned long long)pgm_hash_string(database));
}

static int later_first(const void *a, const void *b)
{
	const struct timespec *one = &((const struct entry *)a)->changed;
	const struct timespec *other = &((const struct entry *)b)->changed;
	if (one->tv_sec != other->tv_sec)
		return one->tv_sec < other->tv_sec ? 1 : -1;
	return (one->tv_nsec < other->tv_nsec) - (one->tv_nsec > other->tv_nsec);
}

/* Files whose names begin so, the latest first. */
static size_t read_folder(const struct pgm_plans *plans, struct pgm_arena *arena, const char *prefix,
			  struct entry **entries)
{
	PGM_VEC(struct entry) found = {0};
	DIR *folder = opendir(plans->folder);
	const struct dirent *file;
	while (folder && (file = readdir(folder)) != NULL) {
		struct stat status;
		if (strncmp(file->d_name, prefix, strlen(prefix)) != 0 ||
		    fstatat(dirfd(folder), file->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(status.st_mode))
			continue;
		struct entry *entry = pgm_vec_add(arena, &found);
		snprintf(entry->name, sizeof(entry->name), "%s", file->d_name);
		entry->changed = status.st_mtim;
		entry->bytes = (size_t)status.st_size;
	}
	if (folder)
		closedir(folder);
	if (found.count)
		qsort(found.items, found.count, sizeof(*found.items), later_first);
	*entries = found.items;
	return found.count;
}

static void remove_named(const struct pgm_plans *plans, const char *prefix)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct entry *entries;
	size_t count = read_folder(plans, arena, prefix, &entries);
	for (size_t i = 0; i < count; i++)
		unlink(pgm_sprintf(arena, "%s/%s", plans->folder, entries[i].name));
}

static bool make_folder(struct pgm_plans *plans, const char *folder, struct pgm_error *err)
{
	char made[] = "/tmp/pgmend-plans-XXXXXX";
	struct stat status;
	if (!folder && !mkdtemp(made))
		return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot make a folder in /tmp: %s",
				     strerror(errno));
	plans->temporary = !folder;
	plans->folder = strdup(folder ? folder : made);
	if (!plans->folder)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	if (mkdir(plans->folder, 0700) < 0 && errno != EEXIST)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot make the folder of Plans %s: %s",
				     plans->folder, strerror(errno));
	/* Who could write there could have our rights in a database. */
	if (stat(plans->folder, &status) < 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
	    (status.st_mode & 022)) {
		pgm_error_set(err, PGM_ERR_RIGHTS, "the folder of Plans %s is not ours alone to write to",
			      plans->folder);
		return pgm_error_hint(err, "Make it belong to the account of pgmend, with mode 0700.");
	}
	return true;
}

struct pgm_plans *pgm_plans_open(const char *folder, struct pgm_error *err)
{
	struct pgm_plans *plans = calloc(1, sizeof(*plans));
	if (!plans) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	pthread_mutex_init(&plans->lock, NULL);
	if (!make_folder(plans, folder, err)) {
		plans->temporary = false;
		pgm_plans_close(plans);
		return NULL;
	}
	remove_named(plans, SCRATCH);
	return plans;
}

void pgm_plans_close(struct pgm_plans *plans)
{
	if (!plans)
		return;
	if (plans->temporary) {
		remove_named(plans, "");
		rmdir(plans->folder);
	}
	pthread_mutex_destroy(&plans->lock);
	free(plans->folder);
	free(plans);
}

const char *pgm_plans_path(struct pgm_plans *plans, struct pgm_arena *arena, const char *database,
			   const char *id)
{
	return pgm_sprintf(arena, "%s/%s%s.sql", plans->folder, prefix_of(arena, database), id);
}

const char *pgm_plans_scratch(struct pgm_plans *plans, struct pgm_arena *arena, const char *ending)
{
	uint64_t bits[2] = {0};
	if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
		bits[0] = (uint64_t)(pgm_clock_ms() * 1e6);
	return pgm_sprintf(arena, "%s/" SCRATCH "%016llx%016llx%s", plans->folder,
			   (unsigned long long)bits[0], (unsigned long long)bits[1], ending);
}

/* Make room: the oldest go. */
static void trim(struct pgm_plans *plans, struct pgm_arena *arena)
{
	struct entry *entries;
	size_t count = read_folder(plans, arena, "", &entries), bytes = 0;
	for (size_t i = 0; i < count; i++) {
		bytes += entries[i].bytes;
		bool scratch = strncmp(entries[i].name, SCRATCH, strlen(SCRATCH)) == 0;
		if (!scratch && (i >= PGM_PLANS_MAX || (i > 0 && bytes > PGM_PLANS_BYTES_MAX)))
			unlink(pgm_sprintf(arena, "%s/%s", plans->folder, entries[i].name));
	}
}

bool pgm_plans_put(struct pgm_plans *plans, struct pgm_arena *arena, const char *database, const char *text,
		   struct pgm_plan *plan, struct pgm_error *err)
{
	if (strlen(text) > PGM_PLAN_BYTES_MAX)
		return pgm_error_set(err, PGM_ERR_INPUT, "the Plan is larger than %zu MB",
				     PGM_PLAN_BYTES_MAX >> 20);
	if (!pgm_plan_parse(arena, "the Plan", text, plan, err))
		return false;
	if (plan->change_count == 0)
		return pgm_error_set(err, PGM_ERR_INPUT, "the Plan has no steps");
	pthread_mutex_lock(&plans->lock);
	bool ok = pgm_file_replace(arena, pgm_plans_path(plans, arena, database, plan->id), text, err);
	if (ok)
		trim(plans, arena);
	pthread_mutex_unlock(&plans->lock);
	return ok;
}

static bool unknown(const char *database, const char *id, struct pgm_error *err)
{
	return pgm_error_set(err, PGM_ERR_INPUT, "there is no Plan %.20s for database %s", id, database);
}

bool pgm_plans_get(struct pgm_plans *plans, struct pgm_arena *arena, const char *database, const char *id,
		   struct pgm_plan *plan, struct pgm_error *err)
{
	char *text;
	if (!pgm_plans_id_valid(id))
		return unknown(database, id, err);
	const char *path = pgm_plans_path(plans, arena, database, id);
	if (access(path, R_OK) < 0)
		return unknown(database, id, err);
	return pgm_file_read(arena, path, PGM_PLAN_BYTES_MAX + 2, &text, err) &&
	       pgm_plan_parse(arena, "the Plan", text, plan, err);
}

bool pgm_plans_remove(struct pgm_plans *plans, const char *database, const char *id, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	if (!pgm_plans_id_valid(id) || unlink(pgm_plans_path(plans, arena, database, id)) < 0)
		return unknown(database, id, err);
	return true;
}

size_t pgm_plans_list(struct pgm_plans *plans, struct pgm_arena *arena, const char *database,
		      const char ***ids)
{
	struct entry *entries;
	const char *prefix = prefix_of(arena, database);
	size_t count = read_folder(plans, arena, prefix, &entries), kept = 0;
	*ids = PGM_NEW_ARRAY(arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++) {
		const char *id = pgm_strndup(arena, entries[i].name + strlen(prefix), PGM_PLAN_ID_LENGTH);
		if (pgm_plans_id_valid(id))
			(*ids)[kept++] = id;
	}
	return kept;
}
