#include "copyin/record.h"

#include "change/ledger.h"
#include "util/embedded.h"

#define NUMBER(arena, value) pgm_sprintf(arena, "%lld", (long long)(value))

/* Whether the table is there, without making it. */
static bool is_there(struct pgm_conn *conn, bool *there, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char *value;
	if (!pgm_conn_value(conn, arena, "SELECT pg_catalog.to_regclass('pgmend.copy_in') IS NOT NULL", 0,
			    NULL, &value, err))
		return pgm_error_context(err, "looking for table pgmend.copy_in");
	*there = value && *value == 't';
	return true;
}

bool pgm_copyin_record_ensure(struct pgm_conn *conn, struct pgm_error *err)
{
	bool there;
	if (!pgm_ledger_ensure(conn, err) || !is_there(conn, &there, err))
		return false;
	return there || pgm_conn_exec(conn, pgm_embedded_text("copyin/sql/record_table.sql"), err) ||
	       pgm_error_context(err, "making table pgmend.copy_in");
}

bool pgm_copyin_record_find(struct pgm_conn *conn, struct pgm_arena *arena,
			    const struct pgm_copyin_table *table, const struct pgm_source_identity *identity,
			    struct pgm_copyin_record *record, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {table->oid, NUMBER(arena, identity->size), identity->head};
	*record = (struct pgm_copyin_record){0};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("copyin/sql/record_find.sql"), 3, params, &rows,
			    err))
		return pgm_error_context(err, "reading table pgmend.copy_in");
	if (rows.count == 0)
		return true;
	*record = (struct pgm_copyin_record){
		.id = pgm_rows_int(&rows, 0, 0),
		.how = pgm_rows_text(&rows, 0, 1),
		.done = *pgm_rows_text(&rows, 0, 2) == 'd',
		.position = pgm_rows_int(&rows, 0, 3),
		.line = pgm_rows_int(&rows, 0, 4),
		.rows = pgm_rows_int(&rows, 0, 5),
		.rejected = pgm_rows_int(&rows, 0, 6),
		.reject_bytes = pgm_rows_int(&rows, 0, 7),
		.reason_bytes = pgm_rows_int(&rows, 0, 8),
		.started_at = pgm_rows_text(&rows, 0, 9),
		.file = pgm_rows_text(&rows, 0, 10),
	};
	return true;
}

bool pgm_copyin_record_add(struct pgm_conn *conn, struct pgm_arena *arena,
			   const struct pgm_copyin_table *table, const struct pgm_source_identity *identity,
			   struct pgm_copyin_record *record, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {table->oid,
				table->quoted,
				record->file,
				NUMBER(arena, identity->size),
				identity->head,
				record->how,
				NUMBER(arena, record->position),
				NUMBER(arena, record->line)};
	if (!pgm_conn_query(conn, arena,
			    "INSERT INTO pgmend.copy_in (relation, table_name, file, size_bytes, "
			    "head_sha256, how, state, position, line) VALUES ($1::oid, $2, $3, $4::bigint, "
			    "$5, $6, 'running', $7::bigint, $8::bigint) RETURNING id",
			    8, params, &rows, err))
		return pgm_error_context(err, "writing table pgmend.copy_in");
	record->id = pgm_rows_int(&rows, 0, 0);
	return true;
}

bool pgm_copyin_record_save(struct pgm_conn *conn, struct pgm_arena *arena,
			    const struct pgm_copyin_record *before, const struct pgm_copyin_record *after,
			    struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {NUMBER(arena, before->id),
				NUMBER(arena, before->position),
				NUMBER(arena, after->position),
				NUMBER(arena, after->line),
				NUMBER(arena, after->rows - before->rows),
				NUMBER(arena, after->rejected - before->rejected),
				NUMBER(arena, after->reject_bytes),
				NUMBER(arena, after->reason_bytes),
				after->done ? "t" : "f"};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("copyin/sql/record_save.sql"), 9, params, &rows,
			    err))
		return pgm_error_context(err, "writing table pgmend.copy_in");
	return rows.count == 1 ||
	       pgm_error_set(err, PGM_ERR_STATE, "another pgmend has gone on with this file meanwhile");
}
