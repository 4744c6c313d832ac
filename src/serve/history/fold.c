/* Minutes that are over into hours: each ten minutes, and the first ones after a start. */
#include "serve/history/parts.h"

static bool note_folded(struct pgm_history_writer *writer, struct pgm_history_target *target, int64_t to_ms,
			struct pgm_error *err)
{
	sqlite3_stmt *update =
		pgm_db_prepare(&writer->db, "UPDATE targets SET folded_ms = ?1 WHERE id = ?2", err);
	if (!update)
		return false;
	pgm_db_bind(update, 2, (const int64_t[]){to_ms, target->id});
	target->folded_ms = to_ms;
	return pgm_db_run(&writer->db, update, err);
}

/* The minutes from from_ms on, added up. */
static bool add_up(struct pgm_history_writer *writer, uint32_t target, int64_t from_ms, int64_t to_ms,
		   struct pgm_cells *cells, struct pgm_error *err)
{
	struct pgm_db *db = &writer->db;
	sqlite3_stmt *rows =
		pgm_db_prepare(db, "SELECT cells FROM minutes WHERE id >= ?1 AND id < ?2 ORDER BY id", err);
	bool fine;
	if (!rows)
		return false;
	pgm_db_bind(rows, 2,
		    (const int64_t[]){PGM_HISTORY_KEY(target, from_ms), PGM_HISTORY_KEY(target, to_ms)});
	while (pgm_db_next(db, rows, &fine, err)) {
		struct pgm_cells minute = pgm_cells_unpack(writer->scratch, sqlite3_column_blob(rows, 0),
							   (size_t)sqlite3_column_bytes(rows, 0));
		*cells = pgm_cells_merge(writer->scratch, cells, &minute);
	}
	return fine;
}

bool pgm_history_fold(struct pgm_history_writer *writer, struct pgm_history_target *target, int64_t at_ms,
		      struct pgm_error *err)
{
	int64_t to_ms = pgm_history_floor(at_ms, PGM_HISTORY_FOLD_MS);
	while (target->folded_ms < to_ms) {
		int64_t from_ms;
		if (!pgm_history_first(&writer->db, "SELECT min(id) FROM minutes WHERE id >= ?1 AND id < ?2",
				       target->id, target->folded_ms, to_ms, &from_ms, err))
			return false;
		if (!from_ms)
			return note_folded(writer, target, to_ms, err);
		int64_t hour_ms = pgm_history_floor(from_ms, PGM_HISTORY_HOUR_MS);
		int64_t end_ms =
			hour_ms + PGM_HISTORY_HOUR_MS < to_ms ? hour_ms + PGM_HISTORY_HOUR_MS : to_ms;
		struct pgm_cells cells = {0};
		if (!add_up(writer, target->id, from_ms, end_ms, &cells, err) ||
		    !pgm_history_write_hours(writer, hour_ms, &cells, err) ||
		    !note_folded(writer, target, end_ms, err))
			return false;
	}
	return true;
}
