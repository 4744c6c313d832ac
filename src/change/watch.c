#include "change/run.h"

#include "util/buf.h"
#include "util/clock.h"
#include "util/embedded.h"
#include "util/interrupt.h"

#include <math.h>
#include <string.h>

#define POLL_MS		100
#define LOOK_MS		250
#define CANCEL_AGAIN_MS 500
#define CANCEL_MAX_MS	60000

struct watch {
	struct pgm_run *run;
	double last_look_ms;
	double waited_ms;
	double last_cancel_ms; /* 0: we did not cancel */
	double first_cancel_ms;
	enum pgm_error_kind why;
	char blockers[400];
};

/*
 * How far a concurrent build is: where each phase begins and ends, roughly as the phases last. The phases'
 * names are PostgreSQL's (src/backend/catalog/system_views.sql).
 */
static double fraction_of(const char *phase, double blocks, double tuples)
{
	static const struct {
		const char *name;
		double from, to;
		bool counts_tuples;
	} phases[] = {
		{"initializing", 0, 0, false},
		{"waiting for writers before build", 0, 0, false},
		{"building index: scanning table", 0, 0.4, false},
		{"building index: sorting live tuples", 0.4, 0.45, false},
		{"building index: loading tuples in tree", 0.45, 0.65, true},
		{"building index", 0, 0.65, false},
		{"waiting for writers before validation", 0.65, 0.65, false},
		{"index validation: scanning index", 0.65, 0.75, false},
		{"index validation: sorting tuples", 0.75, 0.8, true},
		{"index validation: scanning table", 0.8, 0.98, false},
		{"waiting for old snapshots", 0.98, 0.98, false},
	};
	for (size_t i = 0; i < sizeof(phases) / sizeof(*phases); i++) {
		if (strncmp(phase, phases[i].name, strlen(phases[i].name)) != 0)
			continue;
		double part = phases[i].counts_tuples ? tuples : blocks;
		return phases[i].from + (phases[i].to - phases[i].from) * fmin(fmax(part, 0), 1);
	}
	return -1;
}

static void tell_progress(struct watch *watch, struct pgm_arena *scratch, const struct pgm_rows *rows)
{
	struct pgm_run *run = watch->run;
	const char *phase = pgm_rows_text(rows, 0, 2);
	const char *blockers = pgm_rows_get(rows, 0, 7);
	bool waits = pgm_rows_bool(rows, 0, 1);
	double blocks = pgm_rows_double(rows, 0, 3) / fmax(pgm_rows_double(rows, 0, 4), 1);
	double tuples = pgm_rows_double(rows, 0, 5) / fmax(pgm_rows_double(rows, 0, 6), 1);
	struct pgm_engine_event event = {
		.kind = waits ? PGM_EVENT_WAIT : PGM_EVENT_PROGRESS,
		.step = run->step,
		.steps = run->steps,
		.title = run->title,
		.fraction = *phase ? fraction_of(phase, blocks, tuples) : -1,
		.elapsed_ms = pgm_clock_ms() - run->step_began_ms,
		.left_ms = -1,
		.size_bytes = -1,
	};
	if (event.fraction > 0.05)
		event.left_ms = (event.elapsed_ms - watch->waited_ms) * (1 - event.fraction) / event.fraction;
	else if (run->estimate_ms > 0)
		event.left_ms = fmax(run->estimate_ms - event.elapsed_ms, 0);
	event.text = waits ? pgm_sprintf(scratch, "%s%swaiting for %s", phase, *phase ? ": " : "",
					 blockers ? blockers : "a lock")
			   : phase;
	if (run->options->on_event)
		run->options->on_event(&event, run->options->event_arg);
}

/* One look at the session: false where it cannot be seen any more. *gone: it is not there. */
static bool look(struct watch *watch, int pid, const char *start, bool *gone, struct pgm_error *err)
{
	struct pgm_run *run = watch->run;
	PGM_AUTO_ARENA scratch = pgm_arena_new(0); /* a build may take hours */
	struct pgm_rows rows;
	const char *params[] = {pgm_sprintf(scratch, "%d", pid), start};
	double now = pgm_clock_ms();
	if (!pgm_conn_query(run->control, scratch, pgm_embedded_text("change/sql/progress.sql"), 2, params,
			    &rows, err))
		return pgm_error_context(err, "watching the statement");
	*gone = rows.count == 0;
	if (rows.count == 0)
		return true;
	if (pgm_rows_bool(&rows, 0, 1)) {
		watch->waited_ms += watch->last_look_ms > 0 ? now - watch->last_look_ms : 0;
		snprintf(watch->blockers, sizeof(watch->blockers), "%s",
			 pgm_rows_get(&rows, 0, 7) ? pgm_rows_text(&rows, 0, 7) : "another session");
	}
	watch->last_look_ms = now;
	tell_progress(watch, scratch, &rows);
	return true;
}

/* Whether a budget is spent, and which. */
static enum pgm_error_kind over_budget(const struct watch *watch)
{
	const struct pgm_run *run = watch->run;
	if (pgm_interrupted())
		return PGM_ERR_CANCELED;
	if (run->options->max_wait_ms > 0 && watch->waited_ms > (double)run->options->max_wait_ms)
		return PGM_ERR_TIMEOUT;
	if (!run->cleaning && run->deadline_ms > 0 && pgm_clock_ms() > run->deadline_ms)
		return PGM_ERR_STATE;
	return PGM_ERR_NONE;
}

static bool explain(const struct watch *watch, struct pgm_error *err)
{
	switch (watch->why) {
	case PGM_ERR_CANCELED:
		return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	case PGM_ERR_TIMEOUT:
		pgm_error_set(err, PGM_ERR_TIMEOUT, "gave up after %.0f s of waiting for %s",
			      watch->waited_ms / 1000, watch->blockers);
		return pgm_error_hint(err, "End that session (SELECT pg_terminate_backend(pid)) or give "
					   "--max-wait more; then run the same command again.");
	case PGM_ERR_STATE:
		pgm_error_set(err, PGM_ERR_TIMEOUT, "the time of this run is up (--timeout)");
		return pgm_error_hint(err, "Run the same command again: it goes on from here.");
	default:
		return false; /* err says what the server said */
	}
}

/* A cancel that comes before the statement does is lost: it is sent again until the statement ends. */
static void keep_canceling(struct watch *watch, double now)
{
	if (now - watch->last_cancel_ms < CANCEL_AGAIN_MS)
		return;
	if (watch->first_cancel_ms <= 0)
		watch->first_cancel_ms = now;
	watch->last_cancel_ms = now;
	pgm_conn_cancel(watch->run->work);
}

static bool by_someone_else(const struct watch *watch, struct pgm_error *err)
{
	if (watch->why != PGM_ERR_NONE || !err || strcmp(err->sqlstate, "57014") != 0)
		return explain(watch, err);
	if (pgm_interrupted())
		return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	return pgm_error_set(err, PGM_ERR_STATE, "another session canceled the statement");
}

bool pgm_run_watched(struct pgm_run *run, const char *sql, struct pgm_error *err)
{
	struct watch watch = {.run = run, .last_look_ms = pgm_clock_ms()};
	struct pgm_error lost = {0}; /* why the watching failed, where it did */
	if (!pgm_conn_start(run->work, sql, err))
		return false;
	for (;;) {
		bool done, gone;
		bool ok = pgm_conn_poll(run->work, POLL_MS, &done, err);
		if (!ok && lost.kind != PGM_ERR_NONE && err)
			*err = lost;
		if (!ok)
			return by_someone_else(&watch, err);
		if (done)
			return true;
		double now = pgm_clock_ms();
		if (watch.why == PGM_ERR_NONE)
			watch.why = over_budget(&watch);
		if (watch.why != PGM_ERR_NONE || lost.kind != PGM_ERR_NONE) {
			keep_canceling(&watch, now);
			if (now - watch.first_cancel_ms > CANCEL_MAX_MS)
				return pgm_error_set(err, PGM_ERR_STATE,
						     "the statement does not obey a cancel");
		} else if (now - watch.last_look_ms > LOOK_MS &&
			   !look(&watch, pgm_conn_pid(run->work), NULL, &gone, &lost) && pgm_interrupted()) {
			lost.kind = PGM_ERR_NONE; /* Ctrl-C ended the look too */
		}
	}
}

static bool cancel_other(struct pgm_run *run, int pid, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {pgm_sprintf(run->arena, "%d", pid)};
	pgm_interrupt_reset();
	return pgm_conn_query(run->control, run->arena, "SELECT pg_catalog.pg_cancel_backend($1::integer)", 1,
			      params, &rows, err) ||
	       pgm_error_context(err, "canceling pid %d, left at work by an earlier run", pid);
}

bool pgm_run_settle(struct pgm_run *run, int pid, const char *backend_start, struct pgm_error *err)
{
	struct watch watch = {.run = run};
	if (pid == 0 || pid == pgm_conn_pid(run->work))
		return true;
	for (;;) {
		bool gone;
		double now = pgm_clock_ms();
		if (watch.why == PGM_ERR_NONE)
			watch.why = over_budget(&watch);
		if (watch.why != PGM_ERR_NONE && watch.first_cancel_ms <= 0) {
			if (!cancel_other(run, pid, err))
				return false;
			watch.first_cancel_ms = now;
		}
		if (watch.first_cancel_ms > 0 && now - watch.first_cancel_ms > CANCEL_MAX_MS)
			return pgm_error_set(err, PGM_ERR_STATE,
					     "pid %d, left at work by an earlier run, does not end", pid);
		if (!look(&watch, pid, backend_start, &gone, err)) {
			if (!pgm_interrupted())
				return false;
			continue;
		}
		if (gone)
			return watch.why == PGM_ERR_NONE || explain(&watch, err);
		pgm_clock_sleep_ms(POLL_MS);
	}
}
