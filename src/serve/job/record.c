#include "serve/job/record.h"

#include "util/clock.h"
#include "util/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AUDIT_KEEP 100000 /* lines */

#define JOB_COLUMNS                                                                                 \
	"id, database, kind, title, command, who, role, idempotency_key, plan, state, created_at, " \
	"started_at, finished_at, error, hint, resumed_by, changes, resumable, limit_ms, exit_code"

struct pgm_record {
	sqlite3 *db;
};

static bool failed(struct pgm_record *record, struct pgm_error *err)
{
	pgm_error_set(err, PGM_ERR_SYSTEM, "the record of jobs cannot be written: %s",
		      sqlite3_errmsg(record->db));
	return pgm_error_hint(err, "Nothing is changed without a record. Is the disk full?");
}

static sqlite3_stmt *prepare(struct pgm_record *record, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(record->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return NULL;
	return statement;
}

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
	if (text)
		sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(statement, at);
}

static bool run(struct pgm_record *record, sqlite3_stmt *statement, struct pgm_error *err)
{
	bool ok = statement && sqlite3_step(statement) == SQLITE_DONE;
	if (!ok)
		failed(record, err);
	sqlite3_finalize(statement);
	return ok;
}

/* Made by us, so that nobody else may read it; what SQLite puts beside it gets the same rights. SQLite would
 * follow a link to wherever somebody else would have us write. */
static bool make_file(const char *path, struct pgm_error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		close(fd);
		return true;
	}
	if (errno != ELOOP)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "the record of jobs (%s) cannot be opened: %s",
				     path, strerror(errno));
	pgm_error_set(err, PGM_ERR_STATE, "the record of jobs (%s) is a symbolic link", path);
	return pgm_error_hint(err, "Put the file itself there, or name another history in [serve].");
}

/* path NULL: in memory. */
static bool open_db(struct pgm_record *record, const char *path, struct pgm_error *err)
{
	char *problem = NULL;
	int code = sqlite3_open_v2(path ? path : ":memory:", &record->db,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(record->db, pgm_embedded_text("serve/job/record.sql"), NULL, NULL,
				    &problem);
	if (code == SQLITE_OK)
		return true;
	if (code == SQLITE_BUSY)
		pgm_error_set(err, PGM_ERR_STATE, "another pgmend serve has %s", path);
	else
		pgm_error_set(err, PGM_ERR_SYSTEM, "the record of jobs (%s) cannot be opened: %s",
			      path ? path : "in memory",
			      problem	   ? problem
			      : record->db ? sqlite3_errmsg(record->db)
					   : "out of memory");
	sqlite3_free(problem);
	return false;
}

struct pgm_record *pgm_record_open(const char *path, struct pgm_error *err)
{
	struct pgm_record *record = calloc(1, sizeof(*record));
	if (!record) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	if ((!path || make_file(path, err)) && open_db(record, path, err))
		return record;
	pgm_record_close(record);
	return NULL;
}

void pgm_record_close(struct pgm_record *record)
{
	if (!record)
		return;
	sqlite3_close(record->db);
	free(record);
}

static bool add(struct pgm_record *record, const struct pgm_record_job *job, struct pgm_error *err)
{
	sqlite3_stmt *statement =
		prepare(record, "INSERT INTO job (" JOB_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, "
				"?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	const char *const texts[] = {job->id,	       job->database, job->kind,       job->title,
				     job->command,     job->who,      job->role,       job->key,
				     job->plan,	       job->state,    job->created_at, job->started_at,
				     job->finished_at, job->error,    job->hint,       job->resumed_by};
	int count = sizeof(texts) / sizeof(*texts);
	if (!statement)
		return failed(record, err);
	for (int i = 0; i < count; i++)
		bind_text(statement, i + 1, texts[i]);
	sqlite3_bind_int(statement, count + 1, job->changes);
	sqlite3_bind_int(statement, count + 2, job->resumable);
	sqlite3_bind_int64(statement, count + 3, job->limit_ms);
	sqlite3_bind_int(statement, count + 4, job->exit_code);
	return run(record, statement, err);
}

bool pgm_record_add(struct pgm_record *record, const struct pgm_record_job *job, const char *const audit[6],
		    struct pgm_error *err)
{
	if (!run(record, prepare(record, "BEGIN IMMEDIATE"), err))
		return false;
	if (add(record, job, err) && (!audit || pgm_record_audit(record, audit, err)) &&
	    run(record, prepare(record, "COMMIT"), err))
		return true;
	sqlite3_exec(record->db, "ROLLBACK", NULL, NULL, NULL);
	return false;
}

bool pgm_record_update(struct pgm_record *record, const struct pgm_record_job *job, struct pgm_error *err)
{
	sqlite3_stmt *statement = prepare(
		record, "UPDATE job SET state = ?, started_at = ?, finished_at = ?, error = ?, hint = ?, "
			"result = ?, resumed_by = ?, plan = ?, exit_code = ? WHERE id = ?");
	const char *const texts[] = {job->state, job->started_at, job->finished_at, job->error,
				     job->hint,	 job->result,	  job->resumed_by,  job->plan};
	int count = sizeof(texts) / sizeof(*texts);
	if (!statement)
		return failed(record, err);
	for (int i = 0; i < count; i++)
		bind_text(statement, i + 1, texts[i]);
	sqlite3_bind_int(statement, count + 1, job->exit_code);
	bind_text(statement, count + 2, job->id);
	return run(record, statement, err);
}

static const char *column(struct pgm_arena *arena, sqlite3_stmt *row, int at)
{
	return pgm_strdup(arena, (const char *)sqlite3_column_text(row, at));
}

static void read_job(struct pgm_arena *arena, sqlite3_stmt *row, bool with_result, struct pgm_record_job *job)
{
	*job = (struct pgm_record_job){
		.id = column(arena, row, 0),
		.database = column(arena, row, 1),
		.kind = column(arena, row, 2),
		.title = column(arena, row, 3),
		.command = column(arena, row, 4),
		.who = column(arena, row, 5),
		.role = column(arena, row, 6),
		.key = column(arena, row, 7),
		.plan = column(arena, row, 8),
		.state = column(arena, row, 9),
		.created_at = column(arena, row, 10),
		.started_at = column(arena, row, 11),
		.finished_at = column(arena, row, 12),
		.error = column(arena, row, 13),
		.hint = column(arena, row, 14),
		.resumed_by = column(arena, row, 15),
		.changes = sqlite3_column_int(row, 16),
		.resumable = sqlite3_column_int(row, 17),
		.limit_ms = sqlite3_column_int64(row, 18),
		.exit_code = sqlite3_column_int(row, 19),
		.result = with_result ? column(arena, row, 20) : NULL,
	};
}

bool pgm_record_find(struct pgm_record *record, struct pgm_arena *arena, const char *id, const char *who,
		     const char *key, bool with_result, struct pgm_record_job *job)
{
	sqlite3_stmt *statement = prepare(
		record, id ? "SELECT " JOB_COLUMNS ", result FROM job WHERE id = ?"
			   : "SELECT " JOB_COLUMNS ", result FROM job WHERE who = ? AND idempotency_key = ?");
	if (!statement)
		return false;
	bind_text(statement, 1, id ? id : who);
	if (!id)
		bind_text(statement, 2, key);
	bool found = sqlite3_step(statement) == SQLITE_ROW;
	if (found)
		read_job(arena, statement, with_result, job);
	sqlite3_finalize(statement);
	return found;
}

size_t pgm_record_list(struct pgm_record *record, struct pgm_arena *arena, const char *database,
		       const char *state, const char *kind, size_t limit, struct pgm_record_job **jobs)
{
	size_t count = 0;
	sqlite3_stmt *statement = prepare(record, "SELECT " JOB_COLUMNS
						  " FROM job WHERE (?1 IS NULL OR database = ?1) AND (?2 IS "
						  "NULL OR state = ?2) AND (?3 IS NULL OR kind = ?3) "
						  "ORDER BY seq DESC LIMIT ?4");
	*jobs = PGM_NEW_ARRAY(arena, struct pgm_record_job, limit + 1);
	if (!statement)
		return 0;
	bind_text(statement, 1, database);
	bind_text(statement, 2, state);
	bind_text(statement, 3, kind);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)limit);
	while (count < limit && sqlite3_step(statement) == SQLITE_ROW)
		read_job(arena, statement, false, &(*jobs)[count++]);
	sqlite3_finalize(statement);
	return count;
}

void pgm_record_trim(struct pgm_record *record, size_t keep, size_t keep_results)
{
	struct pgm_error ignored;
	sqlite3_stmt *results =
		prepare(record, "UPDATE job SET result = NULL WHERE result IS NOT NULL AND seq <= "
				"(SELECT max(seq) FROM job) - ?");
	sqlite3_stmt *jobs =
		prepare(record, "DELETE FROM job WHERE state NOT IN ('queued', 'running') AND seq <= "
				"(SELECT max(seq) FROM job) - ?");
	if (results)
		sqlite3_bind_int64(results, 1, (sqlite3_int64)keep_results);
	if (jobs)
		sqlite3_bind_int64(jobs, 1, (sqlite3_int64)keep);
	if (!run(record, results, &ignored) || !run(record, jobs, &ignored))
		return; /* the next one will do */
}

bool pgm_record_audit(struct pgm_record *record, const char *const fields[6], struct pgm_error *err)
{
	char now[PGM_CLOCK_STAMP_SIZE];
	sqlite3_stmt *statement = prepare(record, "INSERT INTO audit (at, who, role, action, database, job, "
						  "detail) VALUES (?, ?, ?, ?, ?, ?, ?)");
	if (!statement)
		return failed(record, err);
	bind_text(statement, 1, pgm_clock_stamp(now));
	for (int i = 0; i < 6; i++)
		bind_text(statement, i + 2, fields[i]);
	if (!run(record, statement, err))
		return false;
	sqlite3_stmt *old =
		prepare(record, "DELETE FROM audit WHERE seq <= (SELECT max(seq) FROM audit) - ?");
	if (old)
		sqlite3_bind_int64(old, 1, AUDIT_KEEP);
	return run(record, old, err);
}

json_t *pgm_record_audit_list(struct pgm_record *record, const char *database, int64_t before_seq,
			      size_t limit)
{
	static const char *const names[] = {"at", "who", "role", "action", "database", "job", "detail"};
	json_t *list = json_array();
	sqlite3_stmt *statement =
		prepare(record, "SELECT seq, at, who, role, action, database, job, detail FROM "
				"audit WHERE (?1 IS NULL OR database = ?1) AND (?2 = 0 OR "
				"seq < ?2) ORDER BY seq DESC LIMIT ?3");
	if (!statement)
		return list;
	bind_text(statement, 1, database);
	sqlite3_bind_int64(statement, 2, before_seq);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)limit);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		json_t *line = json_pack("{s:I}", "seq", (json_int_t)sqlite3_column_int64(statement, 0));
		for (int i = 0; i < 7; i++) {
			const char *text = (const char *)sqlite3_column_text(statement, i + 1);
			json_t *value = text ? json_string(text) : NULL;
			json_object_set_new(line, names[i], value ? value : json_null());
		}
		json_array_append_new(list, line);
	}
	sqlite3_finalize(statement);
	return list;
}

const char *pgm_record_noted(struct pgm_record *record, struct pgm_arena *arena, const char *name)
{
	const char *value = NULL;
	sqlite3_stmt *statement = prepare(record, "SELECT value FROM note WHERE name = ?");
	if (!statement)
		return NULL;
	bind_text(statement, 1, name);
	if (sqlite3_step(statement) == SQLITE_ROW)
		value = column(arena, statement, 0);
	sqlite3_finalize(statement);
	return value;
}

bool pgm_record_note(struct pgm_record *record, const char *name, const char *value, struct pgm_error *err)
{
	sqlite3_stmt *statement = prepare(record, "INSERT INTO note (name, value) VALUES (?1, ?2) "
						  "ON CONFLICT (name) DO UPDATE SET value = ?2");
	if (!statement)
		return failed(record, err);
	bind_text(statement, 1, name);
	bind_text(statement, 2, value);
	return run(record, statement, err);
}
