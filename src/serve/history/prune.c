/*
 * What goes: rows that are too old, and where the file is nearly at its limit texts of statements that
 * nothing speaks of any more or that take more than their part, then the oldest of the finest. Each step is a
 * transaction of its own, and its pages are given back to the file system.
 */
#include "serve/history/parts.h"
#include "util/clock.h"

#define PRUNE_EVERY_MS 60e3
#define AGE_EVERY_MS   3600e3
#define JUMP_MS	       3600e3 /* the clock ran on by so much more or less than time did */
#define TRUST_AFTER_MS 3600e3
#define AWAY_MS	       (7 * PGM_HISTORY_DAY_MS)
#define FULL_FROM      0.90 /* of the pages that there may be */
#define FULL_UNTIL     0.80
#define STEPS_MAX      400
#define TEXTS_PART     4   /* of the limit: what statements and their texts may take where it is tight */
#define TEXTS_AT_ONCE  200 /* that go in a transaction */
#define TEXT_OVERHEAD  160 /* bytes of a statement beside its text, with its places in indexes */
#define VACUUM_PAGES   "PRAGMA incremental_vacuum(200)"

/* In the order in which they go. What is younger than least_ms stays, unless nothing else is left. */
struct fineness {
	const char *oldest_sql;
	const char *delete_sql; /* of keys from ?1 to before ?2 */
	int64_t keep_ms, least_ms;
	bool statements; /* keys have streams of statements */
};

static const struct fineness kinds[] = {
	{"SELECT min(id) FROM raw WHERE id >= ?1 AND id < ?2", "DELETE FROM raw WHERE id >= ?1 AND id < ?2",
	 PGM_HISTORY_RAW_KEEP_MS, PGM_HISTORY_HOUR_MS, false},
	{"SELECT min(id) FROM statement_minutes WHERE id >= ?1 AND id < ?2",
	 "DELETE FROM statement_minutes WHERE id >= ?1 AND id < ?2", PGM_HISTORY_RAW_KEEP_MS,
	 PGM_HISTORY_HOUR_MS, true},
	{"SELECT min(id) FROM minutes WHERE id >= ?1 AND id < ?2",
	 "DELETE FROM minutes WHERE id >= ?1 AND id < ?2", PGM_HISTORY_MINUTES_KEEP_MS, PGM_HISTORY_HOUR_MS,
	 false},
	{"SELECT min(id) FROM statement_hours WHERE id >= ?1 AND id < ?2",
	 "DELETE FROM statement_hours WHERE id >= ?1 AND id < ?2", PGM_HISTORY_STATEMENTS_KEEP_MS,
	 PGM_HISTORY_HOUR_MS, true},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

void pgm_history_trust(struct pgm_history_writer *writer, int64_t wall_ms, double mono_ms)
{
	double wall_passed = (double)(wall_ms - writer->last_wall_ms),
	       passed = mono_ms - writer->last_mono_ms;
	bool first = writer->last_wall_ms == 0;
	int64_t newest_ms = 0;
	for (size_t i = 0; first && i < writer->targets.capacity; i++) {
		const struct pgm_history_target *target = writer->targets.slots[i].value;
		if (target && target->last_ms > newest_ms)
			newest_ms = target->last_ms;
	}
	/* a machine that was off for long, or a clock that is wrong: nobody can tell at the start */
	if (newest_ms && wall_ms - newest_ms > AWAY_MS)
		writer->trusted_mono_ms = mono_ms + TRUST_AFTER_MS;
	if (!first && (wall_passed - passed > JUMP_MS || passed - wall_passed > JUMP_MS))
		writer->trusted_mono_ms = mono_ms + TRUST_AFTER_MS;
	writer->last_wall_ms = wall_ms;
	writer->last_mono_ms = mono_ms;
}

bool pgm_history_file_bytes(struct pgm_history_writer *writer, int64_t *bytes, struct pgm_error *err)
{
	int64_t pages;
	if (!pgm_db_number(&writer->db, "PRAGMA page_count", 0, NULL, &pages, err))
		return false;
	*bytes = pages * PGM_DB_PAGE_BYTES;
	return true;
}

static bool used_share(struct pgm_history_writer *writer, double *share, struct pgm_error *err)
{
	int64_t pages, unused;
	if (!pgm_db_number(&writer->db, "PRAGMA page_count", 0, NULL, &pages, err) ||
	    !pgm_db_number(&writer->db, "PRAGMA freelist_count", 0, NULL, &unused, err))
		return false;
	*share = (double)(pages - unused) / (double)pgm_store_pages_max(writer->limit_bytes);
	return true;
}

static bool run(struct pgm_history_writer *writer, const char *sql, size_t count, const int64_t *values,
		struct pgm_error *err)
{
	sqlite3_stmt *statement = pgm_db_prepare(&writer->db, sql, err);
	if (!statement)
		return false;
	pgm_db_bind(statement, count, values);
	return pgm_db_run(&writer->db, statement, err);
}

/* Rows of one kind before a moment, of all targets. */
static bool delete_before(struct pgm_history_writer *writer, const struct fineness *kind, int64_t before_ms,
			  struct pgm_error *err)
{
	for (size_t i = 0; i < writer->targets.capacity; i++) {
		const struct pgm_history_target *target = writer->targets.slots[i].value;
		for (int64_t source = 0; target && source < (kind->statements ? 2 : 1); source++) {
			int64_t stream = kind->statements ? (int64_t)target->id * 2 + source : target->id;
			if (!run(writer, kind->delete_sql, 2,
				 (const int64_t[]){PGM_HISTORY_KEY(stream, 0),
						   PGM_HISTORY_KEY(stream, before_ms)},
				 err))
				return false;
		}
	}
	return true;
}

/* INT64_MAX: there are none. */
static bool oldest_of(struct pgm_history_writer *writer, const struct fineness *kind, int64_t *oldest_ms,
		      struct pgm_error *err)
{
	*oldest_ms = INT64_MAX;
	for (size_t i = 0; i < writer->targets.capacity; i++) {
		const struct pgm_history_target *target = writer->targets.slots[i].value;
		for (int64_t source = 0; target && source < (kind->statements ? 2 : 1); source++) {
			int64_t stream = kind->statements ? (int64_t)target->id * 2 + source : target->id,
				key;
			if (!pgm_db_number(&writer->db, kind->oldest_sql, 2,
					   (const int64_t[]){PGM_HISTORY_KEY(stream, 0),
							     PGM_HISTORY_KEY(stream + 1, 0)},
					   &key, err))
				return false;
			if (key && PGM_HISTORY_KEY_MS(key) < *oldest_ms)
				*oldest_ms = PGM_HISTORY_KEY_MS(key);
		}
	}
	return true;
}

/* ---- texts of statements ---- */

/* In the file it is said once an hour that a statement was seen: now it matters. */
bool pgm_history_note_seen(struct pgm_history_writer *writer, struct pgm_error *err)
{
	bool fine = pgm_db_exec(&writer->db, "BEGIN IMMEDIATE", err);
	for (size_t i = 0; fine && i < writer->statements.capacity; i++) {
		struct pgm_history_statement_slot *slot = writer->statements.slots[i].value;
		if (!slot || slot->last_ms == slot->seen_ms)
			continue;
		fine = run(writer, "UPDATE statements SET seen_ms = ?2 WHERE id = ?1", 2,
			   (const int64_t[]){slot->id, slot->last_ms}, err);
		slot->seen_ms = slot->last_ms;
	}
	fine = fine && pgm_db_exec(&writer->db, "COMMIT", err);
	pgm_db_rollback(&writer->db);
	return fine;
}

/* The next ones of those that were not seen for longest, before that moment; *bytes: what they took, 0 where
 * there are none. What rows still have under their numbers is shown with the others. */
static bool delete_texts(struct pgm_history_writer *writer, int64_t before_ms, int64_t *bytes,
			 struct pgm_error *err)
{
	bool row = true;
	sqlite3_stmt *gone =
		pgm_db_prepare(&writer->db,
			       "DELETE FROM statements WHERE id IN (SELECT id FROM statements WHERE"
			       " seen_ms < ?1 ORDER BY seen_ms, id LIMIT ?2)"
			       " RETURNING length(CAST(query AS BLOB))",
			       err);
	*bytes = 0;
	if (!gone)
		return false;
	pgm_history_statements_forget(writer);
	pgm_db_bind(gone, 2, (const int64_t[]){before_ms, TEXTS_AT_ONCE});
	while (row) {
		if (!pgm_db_step(&writer->db, gone, &row, err))
			return false;
		if (row)
			*bytes += sqlite3_column_int64(gone, 0) + TEXT_OVERHEAD;
	}
	return true;
}

/* Those that were last seen before all that is kept of statements. */
static bool delete_unspoken_texts(struct pgm_history_writer *writer, struct pgm_error *err)
{
	int64_t oldest_ms = INT64_MAX, gone = 1;
	for (size_t i = 0; i < KINDS; i++) {
		int64_t of_kind_ms = INT64_MAX;
		if (kinds[i].statements && !oldest_of(writer, &kinds[i], &of_kind_ms, err))
			return false;
		oldest_ms = of_kind_ms < oldest_ms ? of_kind_ms : oldest_ms;
	}
	while (oldest_ms != INT64_MAX && gone)
		if (!delete_texts(writer, oldest_ms - PGM_HISTORY_SEEN_STEP_MS, &gone, err))
			return false;
	return true;
}

/* Texts that never come again would fill the file, and all else would go for them. */
static bool prune_texts(struct pgm_history_writer *writer, struct pgm_error *err)
{
	const int64_t overhead = TEXT_OVERHEAD;
	int64_t bytes, gone = 1;
	if (!pgm_history_note_seen(writer, err) || !delete_unspoken_texts(writer, err) ||
	    !pgm_db_number(&writer->db, "SELECT sum(length(CAST(query AS BLOB)) + ?1) FROM statements", 1,
			   &overhead, &bytes, err))
		return false;
	while (gone && bytes > writer->limit_bytes / TEXTS_PART) {
		if (!delete_texts(writer, INT64_MAX, &gone, err))
			return false;
		bytes -= gone;
	}
	return true;
}

/* A tenth of what the finest kind has; *done where there is nothing left to go. */
static bool delete_some(struct pgm_history_writer *writer, int64_t now_ms, bool *done, struct pgm_error *err)
{
	for (size_t i = 0; i < KINDS; i++) {
		int64_t oldest_ms;
		if (!oldest_of(writer, &kinds[i], &oldest_ms, err))
			return false;
		if (oldest_ms >= now_ms - kinds[i].least_ms)
			continue;
		int64_t span = (now_ms - oldest_ms) / 10;
		return delete_before(writer, &kinds[i],
				     oldest_ms +
					     (span > PGM_HISTORY_MINUTE_MS ? span : PGM_HISTORY_MINUTE_MS),
				     err) &&
		       (!kinds[i].statements || delete_unspoken_texts(writer, err));
	}
	int64_t first_hour;
	if (!pgm_db_number(&writer->db, "SELECT min(at_ms) FROM hours", 0, NULL, &first_hour, err))
		return false;
	*done = !first_hour || first_hour >= now_ms - PGM_HISTORY_DAY_MS;
	return *done ||
	       run(writer, "DELETE FROM hours WHERE at_ms < ?1", 1,
		   (const int64_t[]){first_hour + (now_ms - first_hour) / 10 + PGM_HISTORY_HOUR_MS}, err);
}

static bool prune_size(struct pgm_history_writer *writer, int64_t now_ms, bool forced, struct pgm_error *err)
{
	double share;
	bool done = false;
	if (!used_share(writer, &share, err))
		return false;
	if (share < FULL_FROM && !forced)
		return true;
	if (!prune_texts(writer, err) || !used_share(writer, &share, err))
		return false;
	for (int step = 0; step < STEPS_MAX && !done && share > FULL_UNTIL; step++)
		if (!delete_some(writer, now_ms, &done, err) || !used_share(writer, &share, err))
			return false;
	return pgm_db_exec(&writer->db, VACUUM_PAGES, err);
}

static bool prune_age(struct pgm_history_writer *writer, int64_t now_ms, struct pgm_error *err)
{
	for (size_t i = 0; i < KINDS; i++)
		if (!delete_before(writer, &kinds[i],
				   now_ms > kinds[i].keep_ms ? now_ms - kinds[i].keep_ms : 0, err))
			return false;
	const int64_t hours_before = now_ms - PGM_HISTORY_HOURS_KEEP_MS;
	const int64_t statements_before = now_ms - PGM_HISTORY_STATEMENTS_KEEP_MS - PGM_HISTORY_DAY_MS;
	return run(writer, "DELETE FROM hours WHERE at_ms < ?1", 1, &hours_before, err) &&
	       run(writer, "DELETE FROM series WHERE seen_ms < ?1", 1, &hours_before, err) &&
	       run(writer, "DELETE FROM statements WHERE seen_ms < ?1", 1, &statements_before, err) &&
	       pgm_db_exec(&writer->db, VACUUM_PAGES, err);
}

bool pgm_history_prune(struct pgm_history_writer *writer, bool forced, struct pgm_error *err)
{
	double now = pgm_clock_ms();
	if (!forced && writer->pruned_mono_ms && now - writer->pruned_mono_ms < PRUNE_EVERY_MS)
		return true;
	writer->pruned_mono_ms = now;
	bool may_age = now >= writer->trusted_mono_ms;
	if (may_age && (!writer->aged_mono_ms || now - writer->aged_mono_ms >= AGE_EVERY_MS)) {
		writer->aged_mono_ms = now;
		if (!prune_age(writer, writer->last_wall_ms, err))
			return false;
	}
	return prune_size(writer, writer->last_wall_ms, forced, err);
}
