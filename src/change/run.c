#include "change/run.h"

#include "util/clock.h"
#include "util/embedded.h"
#include "util/interrupt.h"

#include <stdlib.h>
#include <string.h>

#define LOCK_TRY "SELECT pg_catalog.pg_try_advisory_lock(1885826404, 1)" /* 'pgmd' */
#define LOCK_CHECK                                                                            \
	"SELECT count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND classid = " \
	"1885826404 AND objid = 1 AND granted AND pid = pg_catalog.pg_backend_pid()"
#define LOCK_POLL_MS  250
#define LOCK_GRACE_MS 3000 /* a server process may hold it for a moment after its run has ended */

/* Timeouts that a role or a database may have set; which of them exist depends on the server's version. */
#define NO_TIMEOUTS                                                                                 \
	"SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN " \
	"('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', "             \
	"'idle_session_timeout', 'transaction_timeout')"

void pgm_run_tell(const struct pgm_run *run, enum pgm_engine_event_kind kind, const char *text)
{
	if (!run->options->on_event)
		return;
	struct pgm_engine_event event = {
		.kind = kind,
		.step = run->step,
		.steps = run->steps,
		.title = run->title,
		.text = text,
		.fraction = -1,
		.elapsed_ms = pgm_clock_ms() - run->step_began_ms,
		.left_ms = -1,
		.size_bytes = -1,
	};
	run->options->on_event(&event, run->options->event_arg);
}

static struct pgm_conn *open_session(struct pgm_run *run, struct pgm_error *err)
{
	struct pgm_rows rows;
	struct pgm_conn *conn = pgm_conn_clone(run->control, err);
	if (conn && pgm_conn_query(conn, run->arena, NO_TIMEOUTS, 0, NULL, &rows, err))
		return conn;
	pgm_conn_close(conn);
	return NULL;
}

/* PgBouncer answers with a process id of its own: sessions through it are not what they seem. */
static bool refuse_pooler(struct pgm_run *run, struct pgm_error *err)
{
	char *pid;
	if (!pgm_conn_value(run->control, run->arena, "SELECT pg_catalog.pg_backend_pid()", 0, NULL, &pid,
			    err))
		return false;
	if (pid && atoi(pid) == pgm_conn_pid(run->control))
		return true;
	pgm_error_set(err, PGM_ERR_RIGHTS, "this connection goes through a connection pooler");
	return pgm_error_hint(err, "Changes need sessions of their own: connect to the server itself.");
}

static bool set_up_worker(struct pgm_run *run, struct pgm_conn *conn, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *path = pgm_conn_search_path(conn);
	const char *memory = run->options->maintenance_work_mem;
	if (!pgm_conn_query(conn, run->arena, "SELECT pg_catalog.set_config('search_path', $1, false)", 1,
			    &path, &rows, err))
		return false;
	if (memory && !pgm_conn_query(conn, run->arena,
				      "SELECT pg_catalog.set_config('maintenance_work_mem', $1, false)", 1,
				      &memory, &rows, err))
		return pgm_error_context(err, "--maintenance-work-mem");
	pgm_conn_cancel_on_interrupt(conn);
	return true;
}

bool pgm_run_open_worker(struct pgm_run *run, struct pgm_conn **conn, struct pgm_error *err)
{
	*conn = open_session(run, err);
	if (*conn && set_up_worker(run, *conn, err))
		return true;
	pgm_conn_close(*conn);
	*conn = NULL;
	return false;
}

static bool open_work(struct pgm_run *run, struct pgm_error *err)
{
	char *start;
	if (!pgm_run_open_worker(run, &run->work, err))
		return false;
	if (!pgm_conn_value(run->work, run->arena,
			    "SELECT backend_start FROM pg_catalog.pg_stat_activity "
			    "WHERE pid = pg_catalog.pg_backend_pid()",
			    0, NULL, &start, err))
		return false;
	run->work_start = start;
	return true;
}

static bool taken_by_other(struct pgm_run *run, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(run->control, run->arena, pgm_embedded_text("change/sql/runner.sql"), 0, NULL,
			    &rows, err))
		return false;
	const char *who = rows.count ? pgm_sprintf(run->arena, "%s, role %s, pid %s, since %s",
						   pgm_rows_text(&rows, 0, 1), pgm_rows_text(&rows, 0, 2),
						   pgm_rows_text(&rows, 0, 0), pgm_rows_text(&rows, 0, 3))
				     : "it has just ended";
	pgm_error_set(err, PGM_ERR_TIMEOUT, "another run of pgmend changes this database (%s)", who);
	return pgm_error_hint(err, "Wait for it to end, or give --wait=5min.");
}

/* Polled, on a session that is in no transaction: a blocking waiter deadlocks with a concurrent build. */
static bool take_lock(struct pgm_run *run, struct pgm_error *err)
{
	double since = pgm_clock_ms(), wait = (double)run->options->wait_ms;
	double until = since + (wait > LOCK_GRACE_MS ? wait : LOCK_GRACE_MS);
	bool told = false;
	run->lock = open_session(run, err);
	if (!run->lock)
		return false;
	for (;;) {
		char *got;
		if (!pgm_conn_value(run->lock, run->arena, LOCK_TRY, 0, NULL, &got, err))
			return false;
		if (got && *got == 't')
			return true;
		if (pgm_interrupted())
			return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
		if (!taken_by_other(run, err) && pgm_clock_ms() >= until)
			return false;
		if (!told && err && pgm_clock_ms() >= since + LOCK_GRACE_MS) {
			pgm_run_tell(run, PGM_EVENT_WAIT, err->message);
			told = true;
		}
		pgm_clock_sleep_ms(LOCK_POLL_MS);
	}
}

static bool refuse_read_only(struct pgm_run *run, struct pgm_error *err)
{
	char *read_only;
	if (pgm_conn_is_standby(run->control)) {
		pgm_error_set(err, PGM_ERR_RIGHTS, "this server is a standby: nothing can be changed here");
		return pgm_error_hint(err, "Connect to the primary.");
	}
	if (!pgm_conn_value(run->control, run->arena,
			    "SELECT pg_catalog.current_setting('default_transaction_read_only')", 0, NULL,
			    &read_only, err))
		return false;
	if (!read_only || strcmp(read_only, "on") != 0)
		return true;
	pgm_error_set(err, PGM_ERR_RIGHTS,
		      "sessions of this role are read-only "
		      "(default_transaction_read_only is on)");
	return pgm_error_hint(err, "Connect as a role that may write, or set "
				   "PGOPTIONS='-c default_transaction_read_only=off'.");
}

bool pgm_run_open(struct pgm_run *run, bool with_lock, struct pgm_error *err)
{
	struct pgm_rows rows;
	run->step_began_ms = pgm_clock_ms();
	if (run->options->timeout_ms > 0)
		run->deadline_ms = run->step_began_ms + (double)run->options->timeout_ms;
	if (!refuse_read_only(run, err) || !refuse_pooler(run, err) ||
	    !pgm_conn_query(run->control, run->arena,
			    "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings "
			    "WHERE name = 'idle_session_timeout'",
			    0, NULL, &rows, err))
		return false;
	return (!with_lock || take_lock(run, err)) && open_work(run, err);
}

bool pgm_run_reopen(struct pgm_run *run, struct pgm_error *err)
{
	if (run->work && pgm_conn_alive(run->work))
		return true;
	pgm_conn_close(run->work);
	run->work = NULL;
	return open_work(run, err);
}

void pgm_run_close(struct pgm_run *run)
{
	pgm_conn_close(run->work);
	pgm_conn_close(run->lock);
	run->work = NULL;
	run->lock = NULL;
}

bool pgm_run_check(struct pgm_run *run, struct pgm_error *err)
{
	char *held;
	if (run->deadline_ms > 0 && pgm_clock_ms() > run->deadline_ms) {
		pgm_error_set(err, PGM_ERR_TIMEOUT, "the time of this run is up (--timeout)");
		return pgm_error_hint(err, "Run the same command again: it goes on from here.");
	}
	if (!pgm_conn_value(run->lock, run->arena, LOCK_CHECK, 0, NULL, &held, err))
		return pgm_error_context(err, "looking after the lock of this run");
	if (held && *held != '0')
		return true;
	return pgm_error_set(err, PGM_ERR_STATE, "the lock of this run is gone");
}

bool pgm_run_holders(struct pgm_run *run, const char *relation_oid, bool exclusive, const char ***lines,
		     size_t *count, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {relation_oid ? relation_oid : "0", exclusive ? "t" : "f",
				pgm_sprintf(run->arena, "{%d,%d,%d}", pgm_conn_pid(run->control),
					    run->work ? pgm_conn_pid(run->work) : 0,
					    run->lock ? pgm_conn_pid(run->lock) : 0)};
	*count = 0;
	if (!pgm_conn_query(run->control, run->arena, pgm_embedded_text("change/sql/holders.sql"), 3, params,
			    &rows, err))
		return pgm_error_context(err, "looking for who blocks");
	*lines = PGM_NEW_ARRAY(run->arena, const char *, rows.count + 1);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		(*lines)[i] = pgm_rows_text(&rows, i, 0);
	return true;
}
