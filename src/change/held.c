#include "change/held.h"

#include "util/format.h"

#include <string.h>

#define SINCE(name)                                                                                  \
	"extract(epoch FROM pg_catalog.clock_timestamp() - nullif(pg_catalog.current_setting('" name \
	"', true), '')::timestamptz) * 1000"
#define TIMES "SELECT " SINCE(PGM_HELD_LOCKED) ", " SINCE(PGM_HELD_EXCLUSIVE)

const char *pgm_held_text(struct pgm_arena *arena, const struct pgm_held *held)
{
	const char *least = pgm_format_ms(arena, held->least_ms);
	const char *most = held->most_ms < 0 ? least : pgm_format_ms(arena, held->most_ms);
	return strcmp(least, most) == 0 ? least : pgm_sprintf(arena, "%s to %s", least, most);
}

static double cell(const struct pgm_rows *rows, size_t column)
{
	return rows->count == 1 && pgm_rows_get(rows, 0, column) ? pgm_rows_double(rows, 0, column) : -1;
}

bool pgm_held_commit(struct pgm_conn *conn, const struct pgm_conn_statement *statements, size_t count,
		     struct pgm_held *locked, struct pgm_held *exclusive, struct pgm_error *err)
{
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	struct pgm_conn_statement *group = PGM_NEW_ARRAY(scratch, struct pgm_conn_statement, count + 3);
	struct pgm_rows *rows = PGM_NEW_ARRAY(scratch, struct pgm_rows, count + 3);
	struct pgm_held *held[] = {locked, exclusive};
	bool tells = locked || exclusive;
	size_t commit = count + tells;
	for (size_t i = 0; i < count; i++)
		group[i] = statements[i];
	group[count].sql = group[count + 2].sql = TIMES;
	group[commit].sql = "COMMIT";
	if (!pgm_conn_pipeline_within(conn, scratch, tells ? count + 3 : count + 1, group, 0, rows, err)) {
		const char *status = rows[commit].command_status;
		if (!status || strcmp(status, "COMMIT") != 0)
			return false;
	}
	for (size_t i = 0; i < sizeof(held) / sizeof(*held); i++)
		if (held[i])
			*held[i] = (struct pgm_held){cell(&rows[count], i), cell(&rows[count + 2], i)};
	return true;
}
