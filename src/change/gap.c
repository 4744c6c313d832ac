#include "change/gap.h"

#include "pg/quote.h"
#include "util/buf.h"
#include "util/embedded.h"

/* Longer than deadlock_timeout, after which autovacuum gives way. */
#define VACUUM_WAIT "3s"

void pgm_gap_add(struct pgm_arena *arena, struct pgm_gap *gap, const char *schema, const char *relation)
{
	if (*relation)
		*pgm_vec_add(arena, &gap->names) = *schema ? pgm_quote_qualified(arena, schema, relation)
							   : pgm_quote_ident(arena, relation);
}

static const char *as_array(struct pgm_arena *arena, const struct pgm_gap *gap)
{
	struct pgm_buf text;
	pgm_quote_array_begin(&text, arena);
	for (size_t i = 0; i < gap->names.count; i++)
		pgm_quote_array_add(&text, gap->names.items[i]);
	return pgm_quote_array_end(&text);
}

static void send_vacuum_away(struct pgm_run *run, struct pgm_arena *scratch, const char *relation)
{
	struct pgm_error ignored;
	const char *sql = pgm_sprintf(scratch,
				      PGM_CONN_MARKER "BEGIN; SET LOCAL lock_timeout = '" VACUUM_WAIT
						      "'; LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE",
				      relation);
	if (!pgm_conn_exec(run->work, sql, &ignored) && !pgm_conn_alive(run->work))
		return;
	pgm_conn_exec_quietly(run->work, "ROLLBACK");
}

bool pgm_gap_open(struct pgm_run *run, const struct pgm_gap *gap, int age_ms, struct pgm_error *err)
{
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	const char *params[] = {as_array(scratch, gap), pgm_sprintf(scratch, "%d", age_ms),
				pgm_sprintf(scratch, "{%d,%d,%d}", pgm_conn_pid(run->control),
					    pgm_conn_pid(run->work), run->lock ? pgm_conn_pid(run->lock) : 0),
				gap->oid, gap->references ? "t" : "f"};
	for (int i = 0; i < 2; i++) {
		struct pgm_error ignored;
		struct pgm_rows rows;
		if (!pgm_conn_query(run->control, scratch, pgm_embedded_text("change/sql/gap.sql"),
				    sizeof(params) / sizeof(*params), params, &rows, &ignored) ||
		    rows.count == 0)
			return true;
		pgm_error_set(err, PGM_ERR_TIMEOUT, "%s", pgm_rows_text(&rows, 0, 0));
		if (i == 1 || gap->in_transaction || !pgm_rows_bool(&rows, 0, 1))
			return false;
		send_vacuum_away(run, scratch, pgm_rows_text(&rows, 0, 2));
	}
	return false;
}
