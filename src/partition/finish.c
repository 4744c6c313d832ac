#include "partition/split.h"

#include "partition/look.h"
#include "pg/quote.h"
#include "util/embedded.h"

#include <string.h>
#include <time.h>

typedef PGM_VEC(struct pgm_change) changes;

static struct pgm_change *add_change(struct pgm_arena *arena, changes *list, const char *title)
{
	struct pgm_change *change = pgm_vec_add(arena, list);
	*change = (struct pgm_change){
		.kind = PGM_CHANGE_SQL,
		.step = (int)list->count,
		.title = title,
		.schema = "",
		.relation = "",
		.sql_down = "",
		.transactional = true,
		.lock = "ACCESS EXCLUSIVE",
		.size_bytes = -1,
		.build_ms = -1,
		.write_overhead = -1,
	};
	return change;
}

static struct pgm_copy back_of(struct pgm_arena *arena, const char *old, const char *way)
{
	return (struct pgm_copy){.arena = arena,
				 .log = pgm_sprintf(arena, "pgmend.copy_%s_%s", old, way),
				 .triggers = pgm_sprintf(arena, "pgmend_copy_%s_%s", old, way)};
}

/* One transaction for each table: none is locked while another is waited for. */
static void stop_capture(struct pgm_arena *arena, changes *list, const struct pgm_rows *rows, size_t r)
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

static void drop_old(struct pgm_arena *arena, changes *list, const char *oid, const char *table)
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
	changes list = {0};
	time_t now = time(NULL);
	struct tm utc;
	char stamp[32];
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
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	*plan = (struct pgm_plan){
		.id = pgm_plan_id(arena, list.items, list.count),
		.title = pgm_sprintf(arena, "End the conversion of %s", table),
		.database = pgm_strdup(arena, pgm_conn_database(conn)),
		.created_at = pgm_strdup(arena, stamp),
		.changes = list.items,
		.change_count = list.count,
	};
	return true;
}
