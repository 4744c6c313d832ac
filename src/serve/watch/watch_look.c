/*
 * One look at one target: its session, the collectors that are due, and what happened to the server since the
 * look before.
 */
#include "serve/watch/parts.h"

#include "util/clock.h"
#include "util/embedded.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GRACE_MS	1000.0	 /* beyond the server's own timeout, until we give the session up */
#define FAILED_MAX_MS	600000.0 /* a collector that fails is tried again at least so often */
#define CLOCK_JUMP_MS	2000
#define GAP_ROUNDS	3
#define LOCK_TIMEOUT_MS 100

void pgm_look_init(struct pgm_look *look, const struct pgm_watch_options *options)
{
	look->options = options;
	look->top_tables = pgm_top_new(options->top_tables);
	look->top_indexes = pgm_top_new(options->top_indexes);
	look->top_statements = pgm_top_new(options->top_statements);
}

/* ---- the session ---- */

static void close_session(struct pgm_look *look)
{
	pgm_conn_close(look->conn);
	pgm_arena_free(look->arena);
	look->conn = NULL;
	look->arena = NULL;
	look->lost = false;
}

bool pgm_look_query(struct pgm_look *look, struct pgm_arena *arena, const char *sql, size_t param_count,
		    const char *const *params, struct pgm_rows *rows, struct pgm_error *err)
{
	*rows = (struct pgm_rows){0};
	bool ok = pgm_conn_query(look->conn, arena, sql, param_count, params, rows, err);
	look->lost |= !pgm_conn_alive(look->conn);
	return ok;
}

static void note_session(struct pgm_look *look)
{
	int version = pgm_conn_version(look->conn);
	snprintf(look->host, sizeof(look->host), "%s", pgm_conn_host(look->conn));
	snprintf(look->port, sizeof(look->port), "%s", pgm_conn_port(look->conn));
	snprintf(look->database, sizeof(look->database), "%s", pgm_conn_database(look->conn));
	snprintf(look->user, sizeof(look->user), "%s", pgm_conn_user(look->conn));
	if (look->version && look->version != version)
		look->marks |= PGM_MARK_UPGRADE;
	look->version = version;
	/* what could not be done may be possible now */
	for (size_t i = 0; i < PGM_COLLECTORS; i++)
		if (!look->states[i].ok)
			look->states[i] = (struct pgm_collector_state){0};
}

/* What the server has, for the collectors' variants. */
static bool read_columns(struct pgm_look *look, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {pgm_collector_relations(look->arena)};
	pgm_map_init(&look->columns, look->arena);
	if (!pgm_look_query(look, look->arena, pgm_embedded_text("serve/watch/sql/columns.sql"), 1, params,
			    &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++)
		pgm_map_set(&look->columns, pgm_rows_get(&rows, r, 0), look);
	return true;
}

static bool read_identity(struct pgm_look *look, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_look_query(look, look->arena, pgm_embedded_text("serve/watch/sql/identity.sql"), 0, NULL,
			    &rows, err))
		return false;
	if (!rows.count)
		return pgm_error_set(err, PGM_ERR_STATE, "the database is not in its own catalog");
	look->database_oid = pgm_rows_get(&rows, 0, 0);
	look->statements_schema = pgm_rows_get(&rows, 0, 1);
	return true;
}

static bool open_session(struct pgm_look *look, struct pgm_error *err)
{
	char connect_timeout[24], settings[512];
	snprintf(connect_timeout, sizeof(connect_timeout), "%lld",
		 (long long)(look->options->connect_ms + 999) / 1000);
	struct pgm_conn_options options = {.conninfo = look->conninfo,
					   .connect_timeout = connect_timeout,
					   .tcp_user_timeout = "10000",
					   .answer_ms = (double)look->options->timeout_ms + GRACE_MS};
	look->conn = pgm_conn_open(&options, err);
	if (!look->conn)
		return false;
	look->arena = pgm_arena_new(0);
	/* plans of catalog queries look dear where there are many tables: never worth a compiler or a worker
	 */
	snprintf(settings, sizeof(settings),
		 PGM_CONN_MARKER
		 "SET statement_timeout = %lld; SET lock_timeout = %d; SET jit = off; "
		 "SET max_parallel_workers_per_gather = 0; SET default_transaction_read_only = on; "
		 /* its names and texts can be any bytes: the server would refuse to give them as UTF-8 */
		 "SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', false) "
		 "WHERE pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'",
		 (long long)look->options->timeout_ms, LOCK_TIMEOUT_MS);
	note_session(look);
	if (pgm_conn_exec(look->conn, settings, err) && read_identity(look, err) && read_columns(look, err))
		return true;
	close_session(look);
	return false;
}

/* ---- what collectors gave ---- */

void pgm_look_take(struct pgm_look *look, struct pgm_samples_part *part)
{
	enum pgm_collector_id id = part->samples.collector;
	part->samples.wall_ms = look->wall_ms;
	part->samples.mono_ms = pgm_clock_ms();
	if (look->before[id])
		pgm_part_release(&look->before[id]->part);
	look->before[id] = look->samples[id];
	look->samples[id] = part;
	look->fresh[id] = true;
}

static double period_ms(const struct pgm_look *look, enum pgm_period period)
{
	const struct pgm_watch_options *options = look->options;
	return (double)(period == PGM_PERIOD_FAST	  ? options->fast_ms
			: period == PGM_PERIOD_STATEMENTS ? options->statements_ms
							  : options->slow_ms);
}

void pgm_look_note(struct pgm_look *look, enum pgm_collector_id id, double took_ms,
		   const struct pgm_error *err)
{
	struct pgm_collector_state *state = &look->states[id];
	state->known = true;
	state->ok = !err;
	state->took_ms = took_ms;
	state->failures = err ? state->failures + 1 : 0;
	snprintf(state->why, sizeof(state->why), "%.*s", (int)sizeof(state->why) - 1,
		 err ? err->message : "");
	look->collector_errors += err != NULL;
}

/* At its period, but so seldom that it takes at most PGM_LOOK_SHARE of the time; failed: later and later. */
static void plan_next(struct pgm_look *look, const struct pgm_collector *collector)
{
	struct pgm_collector_state *state = &look->states[collector->id];
	double wait = period_ms(look, collector->period);
	if (state->failures) {
		wait = ldexp(wait, state->failures < 10 ? (int)state->failures : 10);
		wait = fmin(wait, fmax(FAILED_MAX_MS, period_ms(look, collector->period)));
	} else {
		look->waits_ms[collector->id] = fmax(wait, state->took_ms / PGM_LOOK_SHARE);
	}
	state->next_ms = look->began_ms + fmax(wait, state->took_ms / PGM_LOOK_SHARE);
}

static bool is_due(const struct pgm_look *look, const struct pgm_collector *collector)
{
	double early = (double)look->options->fast_ms / 4; /* rounds are not to the millisecond */
	return look->forced || look->states[collector->id].next_ms <= look->began_ms + early;
}

static bool run_file(struct pgm_look *look, enum pgm_collector_id id, const char *file, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_samples_builder builder;
	struct pgm_rows rows;
	const char *sql = pgm_embedded_text(file);
	if (id == PGM_COLLECT_STATEMENTS_INFO)
		sql = pgm_sprintf(arena, sql, look->statements_schema);
	if (!pgm_look_query(look, arena, sql, 0, NULL, &rows, err))
		return false;
	pgm_samples_begin(&builder, id);
	pgm_samples_add_rows(&builder, &rows);
	pgm_look_take(look, pgm_samples_end(&builder));
	return true;
}

static bool run(struct pgm_look *look, enum pgm_collector_id id, const char *file, struct pgm_error *err)
{
	switch (id) {
	case PGM_COLLECT_STATEMENTS:
		return pgm_look_statements(look, file, err);
	case PGM_COLLECT_TABLES:
		return pgm_look_objects(look, file, err);
	default:
		return run_file(look, id, file, err);
	}
}

/* False: the session is lost. */
static bool run_collectors(struct pgm_look *look, _Atomic bool *stopping, struct pgm_error *err)
{
	for (size_t i = 0; i < pgm_collector_count; i++) {
		const struct pgm_collector *collector = &pgm_collectors[i];
		if (!is_due(look, collector) || atomic_load(stopping))
			continue;
		const char *file = pgm_collector_file(collector, &look->columns);
		if (!file)
			continue;
		double began = pgm_clock_ms();
		bool ok = run(look, collector->id, file, err);
		if (look->lost)
			return false;
		pgm_look_note(look, collector->id, pgm_clock_ms() - began, ok ? NULL : err);
		plan_next(look, collector);
	}
	return true;
}

/* ---- what happened ---- */

static double value_of(const struct pgm_samples_part *part, const char *metric, double otherwise)
{
	for (size_t i = 0; part && i < part->samples.count; i++)
		if (strcmp(part->samples.items[i].metric->name, metric) == 0)
			return part->samples.items[i].value;
	return otherwise;
}

/* Whether a value is another than in the collector's look before. */
static bool changed(const struct pgm_look *look, enum pgm_collector_id id, const char *metric)
{
	if (!look->fresh[id] || !look->before[id])
		return false;
	return value_of(look->samples[id], metric, 0) != value_of(look->before[id], metric, 0);
}

static bool fell(const struct pgm_look *look, enum pgm_collector_id id, const char *metric)
{
	if (!look->fresh[id] || !look->before[id])
		return false;
	return value_of(look->samples[id], metric, 0) < value_of(look->before[id], metric, 0);
}

/*
 * After a crash the server begins with new statistics, but the postmaster stays: so a counter that falls is a
 * restart, where nobody reset it.
 */
void pgm_look_mark(struct pgm_look *look)
{
	double since_good_ms = look->began_ms - look->good_ms;
	if (changed(look, PGM_COLLECT_SERVER, "pg_postmaster_start_time_seconds"))
		look->marks |= PGM_MARK_RESTART;
	if (changed(look, PGM_COLLECT_DATABASE, "pg_stat_database_stats_reset"))
		look->marks |= PGM_MARK_RESET;
	else if (fell(look, PGM_COLLECT_DATABASE, "pg_stat_database_xact_commit"))
		look->marks |= PGM_MARK_RESTART;
	if (changed(look, PGM_COLLECT_REPLICATION, "pg_replication_is_replica"))
		look->marks |= PGM_MARK_ROLE;
	if (changed(look, PGM_COLLECT_STATEMENTS_INFO, "pgmend_statements_stats_reset_seconds"))
		look->marks |= PGM_MARK_STATEMENTS;
	else if (look->statements_fell && !look->samples[PGM_COLLECT_STATEMENTS_INFO])
		look->marks |= PGM_MARK_STATEMENTS; /* 13 does not say when it was */
	if (!look->good_wall_ms)
		look->marks |= PGM_MARK_FIRST;
	else if (since_good_ms > GAP_ROUNDS * (double)look->options->fast_ms)
		look->marks |= PGM_MARK_GAP;
	if (look->good_wall_ms &&
	    fabs((double)(look->wall_ms - look->good_wall_ms) - since_good_ms) > CLOCK_JUMP_MS)
		look->marks |= PGM_MARK_CLOCK;
	look->standby = value_of(look->samples[PGM_COLLECT_REPLICATION], "pg_replication_is_replica",
				 look->standby) != 0;
	look->statements_since_s = value_of(look->samples[PGM_COLLECT_STATEMENTS_INFO],
					    "pgmend_statements_stats_reset_seconds", 0);
}

static void forget_statements(struct pgm_look *look)
{
	if (look->statements_before)
		pgm_part_release(&look->statements_before->part);
	look->statements_before = NULL;
}

/* The counters begin anew: nothing is to be compared with what was before. */
static void forget(struct pgm_look *look)
{
	for (size_t i = 0; i < PGM_COLLECTORS; i++) {
		if (look->before[i])
			pgm_part_release(&look->before[i]->part);
		look->before[i] = NULL;
	}
	forget_statements(look);
}

/* ---- a look ---- */

static bool look_once(struct pgm_look *look, bool *fresh_session, _Atomic bool *stopping,
		      struct pgm_error *err)
{
	*fresh_session = !look->conn;
	if (!look->conn && !open_session(look, err))
		return false;
	if (run_collectors(look, stopping, err))
		return true;
	close_session(look);
	return false;
}

static void begin(struct pgm_look *look)
{
	look->began_ms = pgm_clock_ms();
	look->wall_ms = pgm_clock_wall_ms();
	look->marks = 0;
	look->lost = look->statements_fell = false;
	memset(look->fresh, 0, sizeof(look->fresh));
	look->fresh_statements = look->fresh_profile = look->fresh_objects = false;
	look->forced |= look->failures > 0; /* what is known is old */
}

static bool look_at_database(struct pgm_look *look, _Atomic bool *stopping, struct pgm_error *err)
{
	bool fresh_session;
	bool ok = look_once(look, &fresh_session, stopping, err);
	/* a server that was restarted since the last look is not away: ask once more on a new session */
	if (!ok && !fresh_session && err->kind != PGM_ERR_TIMEOUT)
		ok = look_once(look, &fresh_session, stopping, err);
	if (ok)
		pgm_look_mark(look);
	return ok;
}

bool pgm_look_run(struct pgm_look *look, _Atomic bool *stopping, struct pgm_error *err)
{
	pgm_error_clear(err);
	begin(look);
	bool ok = look->conninfo ? look_at_database(look, stopping, err) : pgm_look_pool(look, err);
	if (!look->conninfo && !look->good_wall_ms)
		look->marks |= PGM_MARK_FIRST;
	look->forced = false;
	if (!ok) {
		look->failures++;
		return false;
	}
	if (look->marks & (PGM_MARK_RESTART | PGM_MARK_RESET | PGM_MARK_UPGRADE))
		forget(look);
	else if (look->marks & PGM_MARK_STATEMENTS)
		forget_statements(look);
	look->failures = 0;
	look->good_ms = look->began_ms;
	look->good_wall_ms = look->wall_ms;
	return true;
}

void pgm_look_done(struct pgm_look *look)
{
	if (look->conn)
		close_session(look);
	forget(look);
	for (size_t i = 0; i < PGM_COLLECTORS; i++)
		if (look->samples[i])
			pgm_part_release(&look->samples[i]->part);
	struct pgm_statements_part *statements[] = {look->statements, look->profile, look->profile_before};
	for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++)
		if (statements[i])
			pgm_part_release(&statements[i]->part);
	if (look->objects)
		pgm_part_release(&look->objects->part);
	if (look->texts)
		pgm_part_release(&look->texts->part);
	pgm_top_free(look->top_tables);
	pgm_top_free(look->top_indexes);
	pgm_top_free(look->top_statements);
	pgm_pool_look_free(look->pool);
	memset(look, 0, sizeof(*look));
}
