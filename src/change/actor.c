#include "change/actor.h"

#include "util/embedded.h"
#include "util/utf8.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 200
#define TABLE_THERE    "SELECT pg_catalog.to_regclass('pgmend.actor') IS NOT NULL"

const char *pgm_actor_name(void)
{
	const char *name = getenv("PGMEND_ACTOR");
	size_t length = name ? strlen(name) : 0;
	if (!length || length > NAME_MAX_BYTES ||
	    pgm_utf8_sound((const unsigned char *)name, length) != length)
		return NULL;
	return name;
}

static bool is_there(struct pgm_conn *conn, struct pgm_arena *arena, bool *there, struct pgm_error *err)
{
	char *value;
	if (!pgm_conn_value(conn, arena, TABLE_THERE, 0, NULL, &value, err))
		return pgm_error_context(err, "reading the ledger");
	*there = value && *value == 't';
	return true;
}

bool pgm_actor_record(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, const char *action,
		      struct pgm_error *err)
{
	struct pgm_rows rows;
	bool there;
	const char *params[] = {pgm_sprintf(arena, "%lld", (long long)seq), action, pgm_actor_name()};
	if (!params[2])
		return true;
	if (!is_there(conn, arena, &there, err))
		return false;
	if (!there && !pgm_conn_exec(conn, pgm_embedded_text("change/sql/actor_table.sql"), err))
		return pgm_error_context(err, "making table pgmend.actor");
	return pgm_conn_query(
		       conn, arena,
		       "INSERT INTO pgmend.actor (plan_seq, action, actor) VALUES ($1::bigint, $2, $3)", 3,
		       params, &rows, err) ||
	       pgm_error_context(err, "writing the ledger");
}

bool pgm_actor_read(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, struct pgm_actor **actors,
		    size_t *count, struct pgm_error *err)
{
	struct pgm_rows rows;
	bool there;
	const char *params[] = {pgm_sprintf(arena, "%lld", (long long)seq)};
	*actors = NULL;
	*count = 0;
	if (!is_there(conn, arena, &there, err))
		return false;
	if (!there)
		return true;
	if (!pgm_conn_query(
		    conn, arena,
		    "SELECT a.action, a.actor, a.role, pg_catalog.to_char(a.at AT TIME ZONE 'UTC', "
		    "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM pgmend.actor AS a WHERE a.plan_seq = $1::bigint "
		    "ORDER BY a.id",
		    1, params, &rows, err))
		return pgm_error_context(err, "reading the ledger");
	*actors = PGM_NEW_ARRAY(arena, struct pgm_actor, rows.count + 1);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		(*actors)[i] = (struct pgm_actor){
			.action = pgm_rows_text(&rows, i, 0),
			.actor = pgm_rows_text(&rows, i, 1),
			.role = pgm_rows_text(&rows, i, 2),
			.at = pgm_rows_text(&rows, i, 3),
		};
	return true;
}
