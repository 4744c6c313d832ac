#include "serve/history/store.h"

#include "util/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files larger than this are not read whole at the start: it would take seconds. */
#define CHECKED_BYTES_MAX ((int64_t)64 << 20)
#define RESERVE_PAGES	  32

static const char *const migrations[PGM_STORE_VERSION] = {
	"serve/history/schema_1.sql",
	"serve/history/schema_2.sql",
	"serve/history/schema_3.sql",
};

int pgm_store_take(const char *path, struct pgm_error *err)
{
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "the history %s cannot be opened: %s", path,
			      strerror(errno));
		pgm_error_hint(err, errno == ENOENT
					    ? "Its folder must be there."
					    : "Say where it may be written: history = FILE in [serve].");
		return -1;
	}
	if (flock(file, LOCK_EX | LOCK_NB) == 0)
		return file;
	if (errno == EWOULDBLOCK) {
		pgm_error_set(err, PGM_ERR_STATE, "the history %s is written by another pgmend serve", path);
		pgm_error_hint(err, "Each needs a file of its own: history = FILE in [serve].");
	} else {
		pgm_error_set(err, PGM_ERR_SYSTEM, "the history %s cannot be locked: %s", path,
			      strerror(errno));
	}
	close(file);
	return -1;
}

static bool not_ours(const struct pgm_db *db, struct pgm_error *err)
{
	pgm_error_set(err, PGM_ERR_STATE, "%s is a file of another kind, not a history of pgmend", db->path);
	return pgm_error_hint(err, "Name a file that is not there yet: history = FILE in [serve].");
}

/* Before anything is written: is this a history that we know, whole? *version 0: an empty file. */
static bool look(struct pgm_db *db, int64_t *version, struct pgm_error *err)
{
	int64_t application, tables;
	if (!pgm_db_number(db, "PRAGMA application_id", 0, NULL, &application, err) ||
	    !pgm_db_number(db, "PRAGMA user_version", 0, NULL, version, err) ||
	    !pgm_db_number(db, "SELECT count(*) FROM sqlite_master", 0, NULL, &tables, err))
		return false;
	if (application != PGM_STORE_APPLICATION && (application || tables || *version))
		return not_ours(db, err);
	if (*version <= PGM_STORE_VERSION)
		return true;
	pgm_error_set(err, PGM_ERR_STATE, "the history %s is of a newer pgmend (format %lld, known are %d)",
		      db->path, (long long)*version, PGM_STORE_VERSION);
	return pgm_error_hint(err, "Use that version, or another file: history = FILE in [serve].");
}

static bool check_whole(struct pgm_db *db, struct pgm_error *err)
{
	struct stat info;
	if (stat(db->path, &info) != 0 || info.st_size > CHECKED_BYTES_MAX)
		return true;
	sqlite3_stmt *statement = pgm_db_prepare(db, "PRAGMA quick_check(1)", err);
	bool row;
	if (!statement || !pgm_db_step(db, statement, &row, err))
		return false;
	const char *verdict = row ? (const char *)sqlite3_column_text(statement, 0) : NULL;
	bool whole = verdict && strcmp(verdict, "ok") == 0;
	if (!whole) {
		pgm_error_set(err, PGM_ERR_STATE, "the history %s is damaged (%s)", db->path,
			      verdict ? verdict : "no answer");
		pgm_error_hint(
			err,
			"Move the file away (with its -wal and -shm); what can be saved of it: sqlite3 FILE "
			".recover. A new one is made at the start.");
	}
	sqlite3_reset(statement);
	return whole;
}

static bool migrate(struct pgm_db *db, int64_t from, struct pgm_error *err)
{
	for (int64_t version = from; version < PGM_STORE_VERSION; version++) {
		char finish[128];
		snprintf(finish, sizeof(finish),
			 "PRAGMA application_id = %d; PRAGMA user_version = %lld; COMMIT",
			 PGM_STORE_APPLICATION, (long long)version + 1);
		if (!pgm_db_exec(db, "BEGIN IMMEDIATE", err) ||
		    !pgm_db_exec(db, pgm_embedded_text(migrations[version]), err) ||
		    !pgm_db_exec(db, finish, err)) {
			pgm_db_rollback(db);
			return false;
		}
	}
	return true;
}

/* A commit's log of writes is in a file of its own until it has been copied. */
int64_t pgm_store_pages_max(int64_t limit_bytes)
{
	int64_t log_bytes = limit_bytes / 4 < (8 << 20) ? limit_bytes / 4 : 8 << 20;
	return (limit_bytes - log_bytes) / PGM_DB_PAGE_BYTES;
}

bool pgm_store_open_reserve(struct pgm_db *db, int64_t limit_bytes, bool open, struct pgm_error *err)
{
	char set[64];
	snprintf(set, sizeof(set), "PRAGMA max_page_count = %lld",
		 (long long)pgm_store_pages_max(limit_bytes) - (open ? 0 : RESERVE_PAGES));
	return pgm_db_exec(db, set, err);
}

bool pgm_store_bound(struct pgm_db *db, int64_t limit_bytes, struct pgm_error *err)
{
	return pgm_store_open_reserve(db, limit_bytes, false, err) &&
	       pgm_db_exec(db, "PRAGMA journal_size_limit = 1048576; PRAGMA wal_autocheckpoint = 256", err);
}

bool pgm_store_prepare(struct pgm_db *db, int64_t limit_bytes, struct pgm_error *err)
{
	int64_t version;
	if (!look(db, &version, err))
		return false;
	/* these two are only taken while the file is empty, and in this order */
	if (version == 0 &&
	    !pgm_db_exec(db, "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL", err))
		return false;
	return check_whole(db, err) && pgm_db_exec(db, "PRAGMA journal_mode = WAL", err) &&
	       migrate(db, version, err) && pgm_store_bound(db, limit_bytes, err);
}
