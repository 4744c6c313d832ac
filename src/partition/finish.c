#include "partition/split.h"

#include "partition/look.h"
#include "pg/quote.h"
#include "util/embedded.h"

#include <string.h>

static struct pgm_change *add_change(struct pgm_arena *arena, pgm_changes *list, const char *title)
{
	return pgm_change_add(arena, list, "", "", title, "ACCESS EXCLUSIVE");
}

static struct pgm_copy back_of(struct pgm_arena *arena, const char *old, const char *way)
{
	return (struct pgm_copy){.arena = arena,
				 .log = pgm_sprintf(arena, "pgmend.copy_%s_%s", old, way),
				 .triggers = pgm_sprintf(arena, "pgmend_copy_%s_%s", old, way)};
}

/* One transaction for each table: none is locked while another is waited for. */
static void stop_capture(struct pgm_arena *arena, pgm_changes *list, const struct pgm_rows *rows, size_t r)
{
	const char *table = pgm_rows_text(rows, r, 3);
	struct pgm_copy back = back_of(arena, pgm_rows_text(rows, r, 0), "back");
	struct pgm_change *change =
		add_change(arena, list, pgm_sprintf(arena, "capture nothing of %s any more", table));
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_copy_drop_triggers(&out, &back, table);
	if (pgm_rows_get(rows, r, 4))
		pgm_buf_printf(&out, "ALTER TABLE %s DROP CONSTRAINT %s;\n", table,
			       pgm_rows_text(rows, r, 4));
	change->sql_up = out.text;
}

static void drop_old(struct pgm_arena *arena, pgm_changes *list, const char *oid, const char *table)
{
	struct pgm_copy back = back_of(arena, oid, "back"), log = back_of(arena, oid, "log");
	struct pgm_change *change = add_change(arena, list, pgm_sprintf(arena, "drop %s", table));
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_printf(&out, "DROP TABLE %s;\n", table);
	pgm_copy_drop_log(&out, &log);
	pgm_copy_drop_log(&out, &back);
	change->sql_up = out.text;
}

bool pgm_partition_finish(struct pgm_conn *conn, struct pgm_arena *arena, const char *table,
			  struct pgm_plan *plan, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *oid;
	pgm_changes list = {0};
	*plan = (struct pgm_plan){.id = ""};
	if (!pgm_look_find(conn, arena, table, &oid, err) ||
	    !pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/copy_finish.sql"), 1, &oid, &rows,
			    err))
		return false;
	for (size_t r = 0; r < rows.count; r++) {
		if (!pgm_rows_bool(&rows, r, 2)) {
			pgm_error_set(err, PGM_ERR_STATE, "the conversion of %s has not come to its end",
				      table);
			return pgm_error_hint(err, "Finish it with \"pgmend apply\", or take it back with "
						   "\"pgmend rollback\": \"pgmend history\" shows the Plan.");
		}
		stop_capture(arena, &list, &rows, r);
		bool last = r + 1 == rows.count ||
			    strcmp(pgm_rows_text(&rows, r, 0), pgm_rows_text(&rows, r + 1, 0)) != 0;
		if (last)
			drop_old(arena, &list, pgm_rows_text(&rows, r, 0), pgm_rows_text(&rows, r, 1));
	}
	if (list.count == 0)
		return true;
	*plan = pgm_plan_of(arena, pgm_strdup(arena, pgm_conn_database(conn)),
			    pgm_sprintf(arena, "End the conversion of %s", table), &list);
	return true;
}
