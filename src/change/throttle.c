#include "change/throttle.h"

#include "util/clock.h"
#include "util/embedded.h"
#include "util/format.h"
#include "util/interrupt.h"

#include <unistd.h>

#define LOOK_MS	     1000
#define WAIT_POLL_MS 200

/* Why to wait now; NULL: no reason. */
static bool reason(struct pgm_run *run, struct pgm_throttle *throttle, struct pgm_arena *scratch,
		   const char **why, struct pgm_error *err)
{
	const struct pgm_engine_options *options = run->options;
	struct pgm_rows rows;
	char *paused;
	*why = NULL;
	if (options->pause_file && access(options->pause_file, F_OK) == 0) {
		*why = pgm_sprintf(scratch, "paused: %s is there", options->pause_file);
		return true;
	}
	const char *params[] = {pgm_sprintf(scratch, "%lld", (long long)run->seq),
				pgm_sprintf(scratch, "%d", run->step)};
	if (!pgm_conn_value(run->control, scratch,
			    "SELECT paused FROM pgmend.batches WHERE plan_seq = $1::bigint AND step = "
			    "$2::integer",
			    2, params, &paused, err))
		return pgm_error_context(err, "reading the ledger");
	if (paused && *paused == 't') {
		*why = "paused: pgmend.batches says so";
		return true;
	}
	if (options->max_lag_ms <= 0 && options->max_lag_bytes <= 0)
		return true;
	if (!pgm_conn_query(run->control, scratch, pgm_embedded_text("change/sql/lag.sql"), 0, NULL, &rows,
			    err))
		return pgm_error_context(err, "looking at the standbys");
	if (rows.count == 0)
		return true;
	if (pgm_rows_bool(&rows, 0, 3)) {
		if (!throttle->told_hidden)
			pgm_run_tell(run, PGM_EVENT_NOTE,
				     "how far standbys are behind is hidden from this role, so nothing waits "
				     "for them: GRANT pg_read_all_stats");
		throttle->told_hidden = true;
		return true;
	}
	double lag_ms = pgm_rows_double(&rows, 0, 1), bytes = pgm_rows_double(&rows, 0, 2);
	if ((options->max_lag_ms > 0 && lag_ms > (double)options->max_lag_ms) ||
	    (options->max_lag_bytes > 0 && bytes > (double)options->max_lag_bytes))
		*why = pgm_sprintf(scratch, "standby %s is %s, %s behind", pgm_rows_text(&rows, 0, 0),
				   pgm_format_ms(scratch, lag_ms), pgm_format_bytes(scratch, bytes));
	return true;
}

bool pgm_throttle_clear(struct pgm_run *run, struct pgm_throttle *throttle)
{
	struct pgm_error ignored;
	const char *why;
	if (run->options->batch_rest_ms > 0 || throttle->last_look_ms <= 0)
		return false;
	if (pgm_clock_ms() - throttle->last_look_ms < LOOK_MS)
		return true;
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	if (pgm_interrupted() || !pgm_run_check(run, &ignored) ||
	    !reason(run, throttle, scratch, &why, &ignored) || why)
		return false;
	throttle->last_look_ms = pgm_clock_ms();
	return true;
}

bool pgm_throttle(struct pgm_run *run, struct pgm_throttle *throttle, struct pgm_error *err)
{
	double began = pgm_clock_ms();
	if (run->options->batch_rest_ms > 0)
		pgm_clock_sleep_ms((double)run->options->batch_rest_ms);
	if (throttle->last_look_ms > 0 && pgm_clock_ms() - throttle->last_look_ms < LOOK_MS)
		return true;
	for (;;) {
		PGM_AUTO_ARENA scratch = pgm_arena_new(0);
		const char *why;
		if (pgm_interrupted())
			return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
		if (!pgm_run_check(run, err) || !reason(run, throttle, scratch, &why, err))
			return false;
		if (!why)
			break;
		pgm_run_tell(run, PGM_EVENT_WAIT, why);
		pgm_clock_sleep_ms(WAIT_POLL_MS);
	}
	throttle->last_look_ms = pgm_clock_ms();
	throttle->waited_ms += throttle->last_look_ms - began;
	return true;
}
