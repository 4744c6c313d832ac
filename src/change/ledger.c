#include "change/ledger.h"

#include "pg/quote.h"
#include "util/clock.h"
#include "util/embedded.h"

#include <stdlib.h>

#define MAKE_TRIES    40
#define MAKE_WAIT_MS  250
#define LOCK_KEY_LOOK "SELECT pg_catalog.pg_try_advisory_xact_lock(1885826404, 2)" /* 'pgmd' */

struct look {
	bool there;
	bool schema_there;
	bool trusted;
	bool may_create;
	bool may_use;
	const char *owner;
};

static bool look(struct pgm_conn *conn, struct pgm_arena *arena, struct look *look, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("change/sql/ledger_look.sql"), 0, NULL, &rows,
			    err))
		return pgm_error_context(err, "looking for the ledger");
	*look = (struct look){
		.there = pgm_rows_bool(&rows, 0, 0),
		.schema_there = pgm_rows_bool(&rows, 0, 1),
		.owner = pgm_rows_text(&rows, 0, 2),
		.trusted = pgm_rows_bool(&rows, 0, 3),
		.may_create = pgm_rows_bool(&rows, 0, 4),
		.may_use = pgm_rows_bool(&rows, 0, 5),
	};
	return true;
}

static bool no_rights(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_error *err)
{
	const char *user = pgm_quote_ident(arena, pgm_conn_user(conn));
	pgm_error_set(err, PGM_ERR_RIGHTS, "role %s may not use the ledger (schema pgmend)", user);
	return pgm_error_hint(err,
			      "GRANT USAGE ON SCHEMA pgmend TO %s; GRANT SELECT, INSERT, UPDATE, DELETE ON "
			      "ALL TABLES IN SCHEMA pgmend TO %s;",
			      user, user);
}

static bool check_version(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_error *err)
{
	char *version;
	if (!pgm_conn_value(conn, arena, "SELECT max(version) FROM pgmend.ledger", 0, NULL, &version, err))
		return err && err->kind == PGM_ERR_RIGHTS ? no_rights(conn, arena, err)
							  : pgm_error_context(err, "reading the ledger");
	int number = version ? atoi(version) : 0;
	if (number == PGM_LEDGER_VERSION)
		return true;
	pgm_error_set(err, PGM_ERR_STATE, "the ledger has version %d; this program knows version %d", number,
		      PGM_LEDGER_VERSION);
	return pgm_error_hint(err, "Use a newer pgmend.");
}

bool pgm_ledger_exists(struct pgm_conn *conn, bool for_writing, bool *exists, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct look found;
	*exists = false;
	if (!look(conn, arena, &found, err))
		return false;
	if (found.schema_there && !found.may_use)
		return no_rights(conn, arena, err);
	if (!found.there)
		return true;
	if (for_writing && !found.trusted) {
		pgm_error_set(err, PGM_ERR_RIGHTS,
			      "the ledger (schema pgmend) belongs to role %s, which could use it to run SQL "
			      "with your rights",
			      pgm_quote_ident(arena, found.owner));
		return pgm_error_hint(err,
				      "Connect as %s, or make the schema and its tables yours after "
				      "reading them.",
				      pgm_quote_ident(arena, found.owner));
	}
	*exists = check_version(conn, arena, err);
	return *exists;
}

static bool make(struct pgm_conn *conn, struct pgm_arena *arena, bool *made, struct pgm_error *err)
{
	char *locked;
	*made = false;
	if (!pgm_conn_exec(conn, PGM_CONN_MARKER "BEGIN", err))
		return false;
	/* Polled: whoever waits for an advisory lock holds up CREATE INDEX CONCURRENTLY. */
	bool ok = pgm_conn_value(conn, arena, LOCK_KEY_LOOK, 0, NULL, &locked, err);
	bool mine = ok && locked && *locked == 't';
	char *there = NULL;
	ok = ok && (!mine || pgm_conn_value(conn, arena, "SELECT pg_catalog.to_regclass('pgmend.ledger')", 0,
					    NULL, &there, err));
	if (ok && mine && !there)
		ok = pgm_conn_exec(conn, pgm_embedded_text("change/sql/ledger_schema.sql"), err);
	if (!ok || !mine) {
		pgm_conn_exec_quietly(conn, "ROLLBACK");
		return ok;
	}
	*made = pgm_conn_exec(conn, PGM_CONN_MARKER "COMMIT", err);
	return *made;
}

bool pgm_ledger_ensure(struct pgm_conn *conn, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct look found;
	bool exists;
	if (!pgm_ledger_exists(conn, true, &exists, err) || exists)
		return exists;
	if (!look(conn, arena, &found, err))
		return false;
	const char *user = pgm_quote_ident(arena, pgm_conn_user(conn));
	if (!found.schema_there && !found.may_create) {
		const char *database = pgm_quote_ident(arena, pgm_conn_database(conn));
		pgm_error_set(err, PGM_ERR_RIGHTS,
			      "role %s may not make the ledger (schema pgmend) in database %s", user,
			      database);
		return pgm_error_hint(err, "GRANT CREATE ON DATABASE %s TO %s;", database, user);
	}
	for (int try = 0; try < MAKE_TRIES; try++) {
		bool made;
		if (!make(conn, arena, &made, err)) {
			if (err && err->kind == PGM_ERR_RIGHTS) {
				pgm_error_hint(err, "GRANT CREATE, USAGE ON SCHEMA pgmend TO %s;", user);
			}
			return pgm_error_context(err, "making the ledger (schema pgmend)");
		}
		if (made)
			return true;
		pgm_clock_sleep_ms(pgm_clock_backoff_ms(0, MAKE_WAIT_MS, MAKE_WAIT_MS));
	}
	return pgm_error_set(err, PGM_ERR_TIMEOUT, "another session has been making the ledger for %d s",
			     MAKE_TRIES * MAKE_WAIT_MS / 1000);
}

bool pgm_ledger_drop(struct pgm_conn *conn, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char *open;
	if (!pgm_conn_value(conn, arena,
			    "SELECT id FROM pgmend.plan WHERE state IN ('running', 'failed', 'canceled', "
			    "'undoing') ORDER BY seq LIMIT 1",
			    0, NULL, &open, err))
		return pgm_error_context(err, "reading the ledger");
	if (open) {
		pgm_error_set(err, PGM_ERR_STATE, "Plan %s is unfinished", open);
		return pgm_error_hint(err,
				      "Finish it with \"pgmend apply\", or undo it: \"pgmend rollback "
				      "--plan %s\".",
				      open);
	}
	/* Without CASCADE: whatever else stands in the schema is not ours. */
	if (!pgm_conn_exec(conn,
			   PGM_CONN_MARKER
			   "BEGIN; DROP TABLE IF EXISTS pgmend.actor, pgmend.batches, pgmend.session_end, "
			   "pgmend.upkeep; DROP TABLE "
			   "pgmend.made, pgmend.change, pgmend.plan, pgmend.measurement, "
			   "pgmend.ledger; DROP SCHEMA pgmend; COMMIT",
			   err)) {
		pgm_conn_exec_quietly(conn, "ROLLBACK");
		return pgm_error_context(err, "dropping the ledger");
	}
	return true;
}

bool pgm_ledger_save_measurement(struct pgm_conn *conn, const char *plan_id, const char *phase,
				 const char *statement_id, const json_t *data, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_rows rows;
	char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
	const char *params[] = {plan_id, phase, statement_id, text ? text : "null"};
	bool ok = pgm_conn_query(conn, arena,
				 "INSERT INTO pgmend.measurement (plan_id, phase, statement_id, data) "
				 "VALUES ($1, $2, $3, $4::jsonb)",
				 4, params, &rows, err);
	free(text);
	return ok || pgm_error_context(err, "writing the ledger");
}

bool pgm_ledger_measurements(struct pgm_conn *conn, struct pgm_arena *arena, const char *plan_id,
			     const char *phase, struct pgm_ledger_measurement **measurements, size_t *count,
			     struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {plan_id, phase};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("change/sql/ledger_measurements.sql"), 2, params,
			    &rows, err))
		return pgm_error_context(err, "reading the ledger");
	*measurements = PGM_NEW_ARRAY(arena, struct pgm_ledger_measurement, rows.count + 1);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		(*measurements)[i] = (struct pgm_ledger_measurement){
			.statement_id = pgm_rows_text(&rows, i, 0),
			.data = json_loads(pgm_rows_text(&rows, i, 1), JSON_DECODE_ANY, NULL),
			.captured_at = pgm_rows_text(&rows, i, 2),
		};
	return true;
}
