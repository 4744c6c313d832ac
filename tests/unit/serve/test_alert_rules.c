/*
 * Each rule fires on a snapshot that is made for it, after its time, and resolves on one that is well. Then:
 * silences, restarts, settings, and what the documentation says of the rules.
 */
#include "../cmocka_all.h"

#include "made_snapshot.h"

#include "serve/alert/parts.h"
#include "util/file.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#define NOON INT64_C(1700049600000)

static double now_ms; /* of the watched world, monotonic */

/* What one look shows: bad or well, at its number since the begin. */
typedef void filler(struct made *made, bool bad, int look);

static void set(struct made *made, const char *metric, double value)
{
	made_add(made, metric, NULL, value);
}

static void database(struct made *made, const char *metric, double value)
{
	static const char *const labels[] = {"5", "shop"};
	made_add(made, metric, labels, value);
}

static void fill_down(struct made *made, bool bad, int look)
{
	(void)look;
	made->snapshot->up = !bad;
	made->snapshot->target.why = bad ? "connection refused" : "";
}

static void fill_restarted(struct made *made, bool bad, int look)
{
	(void)look;
	set(made, "pg_postmaster_start_time_seconds",
	    (double)made->snapshot->wall_ms / 1e3 - (bad ? 5 : 9000));
}

static void fill_connections(struct made *made, bool bad, int look)
{
	(void)look;
	set(made, "pg_settings_max_connections", 103);
	set(made, "pg_settings_superuser_reserved_connections", 3);
	set(made, "pgmend_sessions_connections", bad ? 96 : 40);
}

static void fill_sessions(struct made *made, bool bad, int look)
{
	(void)look;
	set(made, "pgmend_longest_query_seconds", bad ? 61 : 2);
	set(made, "pgmend_longest_transaction_seconds", bad ? 3601 : 2);
	set(made, "pgmend_longest_idle_in_transaction_seconds", bad ? 301 : 0);
	set(made, "pgmend_longest_lock_wait_seconds", bad ? 31 : 0);
	set(made, "pgmend_sessions_waiting_for_lock", bad ? 6 : 0);
}

static void fill_pool(struct made *made, bool bad, int look)
{
	static const char *const labels[] = {"shop", "app"}, *const shop[] = {"shop"};
	made_add(made, "pgbouncer_pools_client_waiting_connections", labels, bad ? 3 : 0);
	made_add(made, "pgbouncer_pools_client_maxwait_seconds", labels, bad ? 6 : 0);
	made_add(made, "pgbouncer_stats_queries_pooled_total", shop, look * 1000.0);
	made_add(made, "pgmend_query_errors_total", shop, bad ? look * 100.0 : 0);
	made_add(made, "pgmend_query_bursts_total", shop, bad ? look * 10.0 : 0);
}

static void fill_database(struct made *made, bool bad, int look)
{
	database(made, "pg_stat_database_blks_hit", look * 1e5 * (bad ? 0.8 : 0.999));
	database(made, "pg_stat_database_blks_read", look * 1e5 * (bad ? 0.2 : 0.001));
	database(made, "pg_stat_database_xact_commit", look * 100.0);
	database(made, "pg_stat_database_xact_rollback", bad ? look * 50.0 : 0);
	database(made, "pg_stat_database_deadlocks", bad ? look * 2.0 : 0);
	database(made, "pgmend_database_checksum_failures_total", bad ? 2 : 0);
}

static void fill_server(struct made *made, bool bad, int look)
{
	static const char *const locks[] = {"shop", "accesssharelock"}, *const shop[] = {"shop"};
	static const char *const holder[] = {"slot"};
	set(made, "pg_settings_max_locks_per_transaction", 64);
	set(made, "pg_settings_max_connections", 100);
	set(made, "pg_settings_max_prepared_transactions", 0);
	made_add(made, "pg_locks_count", locks, bad ? 2000 : 50);
	set(made, "pgmend_indexes_invalid", bad ? 1 : 0);
	set(made, "pg_stat_archiver_failed_count", bad ? look : 3);
	set(made, "pg_stat_bgwriter_checkpoints_req_total", bad ? look : 3);
	set(made, "pgmend_statements_dealloc_total", bad ? look : 3);
	made_add(made, "pg_database_wraparound_age_datfrozenxid_seconds", shop, bad ? 1.6e9 : 1e8);
	made_add(made, "pgmend_xmin_horizon_age_transactions", holder, bad ? 2e7 : 100);
}

static void fill_replication(struct made *made, bool bad, int look)
{
	static const char *const replica[] = {"standby1", "10.0.0.2", "streaming"};
	static const char *const slot[] = {"reports", "physical"};
	(void)look;
	set(made, "pg_replication_is_replica", 0);
	made_add(made, "pgmend_replica_lag_seconds", replica, bad ? 70 : 0.1);
	made_add(made, "pg_stat_replication_pg_wal_lsn_diff", replica, bad ? 0x1p31 : 100);
	made_add(made, "pg_replication_slots_active", slot, bad ? 0 : 1);
	made_add(made, "pg_replication_slots_pg_wal_lsn_diff", slot,
		 0x1p31); /* an active one may keep much */
	made_add(made, "pgmend_replication_slot_lost", slot, bad ? 1 : 0);
}

static void fill_tables(struct made *made, bool bad, int look)
{
	(void)look;
	struct pgm_table_row *tables = made_tables(made, 1);
	tables[0] = (struct pgm_table_row){.schema = "public", .name = "orders", .vacuum_due = bad ? 4 : 0.5};
}

static const struct {
	const char *rule;
	filler *fill;
	const char *what;
	const char *summary; /* words of it */
} cases[] = {
	{"database_down", fill_down, "", "cannot be reached"},
	{"server_restarted", fill_restarted, "", "started 5 s ago"},
	{"connections", fill_connections, "", "96 % of the connections"},
	{"connections_critical", fill_connections, "", "96 % of the connections"},
	{"query_over_a_minute", fill_sessions, "", "run for 1 min 1 s"},
	{"transaction_open", fill_sessions, "", "open for 1 h"},
	{"idle_in_transaction", fill_sessions, "", "5 min 1 s"},
	{"lock_wait", fill_sessions, "", "31 s"},
	{"sessions_blocked", fill_sessions, "", "6 sessions"},
	{"pool_exhausted", fill_pool, "shop, app", "3 clients of the pool shop, app"},
	{"pool_wait", fill_pool, "shop, app", "waited for 6"},
	{"error_rate", fill_pool, "", "10 % of the queries"},
	{"n_plus_one", fill_pool, "", "60 times a minute"},
	{"cache_hit_ratio", fill_database, "", "80 % of the blocks"},
	{"rollback_ratio", fill_database, "", "33.3 % of the transactions"},
	{"deadlocks", fill_database, "", "deadlocks a minute"},
	{"deadlocks_many", fill_database, "", "12 deadlocks a minute"},
	{"checksum_failures", fill_database, "shop", "2 pages"},
	{"lock_table", fill_server, "", "31.2 % of the room"},
	{"invalid_index", fill_server, "", "1 indexes"},
	{"archive_failing", fill_server, "", "failed"},
	{"checkpoints_requested", fill_server, "", "checkpoints were forced"},
	{"statements_evicted", fill_server, "", "6 times a minute"},
	{"wraparound", fill_server, "shop", "1.6 billion"},
	{"wraparound_critical", fill_server, "shop", "of shop"},
	{"xmin_horizon", fill_server, "slot", "a slot keeps"},
	{"replication_lag", fill_replication, "standby1, 10.0.0.2",
	 "standby1, 10.0.0.2 is 1 min 10 s behind"},
	{"replication_lag_critical", fill_replication, "standby1, 10.0.0.2", "behind"},
	{"replication_lag_bytes", fill_replication, "standby1, 10.0.0.2", "has 2.0 GB of WAL"},
	{"slot_retention", fill_replication, "reports", "slot reports keeps 2.0 GB"},
	{"slot_lost", fill_replication, "reports", "slot reports"},
	{"vacuum_due", fill_tables, "public.orders", "public.orders is overdue"},
	/* what they see comes from elsewhere: below */
	{"table_bloat", NULL, "", ""},
	{"index_bloat", NULL, "", ""},
	{"partition_headroom", NULL, "", ""},
	{"sequence_exhaustion", NULL, "", ""},
	{"prepared_transactions", NULL, "", ""},
	{"disk_forecast", NULL, "", ""},
	{"disk_forecast_critical", NULL, "", ""},
	{"history_paused", NULL, "", ""},
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static struct pgm_alerts *open_alerts(const struct pgm_serve_line *lines, size_t count,
				      struct pgm_history *history)
{
	struct pgm_error err = {0};
	struct pgm_alert_options options = {.settings = lines, .setting_count = count, .history = history};
	struct pgm_alerts *alerts = pgm_alerts_open(&options, &err);
	if (!alerts)
		fail_msg("%s", err.message);
	return alerts;
}

static void look(struct pgm_alerts *alerts, filler *fill, bool bad, int number)
{
	struct made made = made_begin("shop", NOON + (int64_t)now_ms, now_ms);
	fill(&made, bad, number);
	const struct pgm_snapshot *snapshot = made_end(&made);
	pgm_alerts_evaluate(alerts, snapshot);
	pgm_snapshot_release(snapshot);
	now_ms += 10e3;
}

static const struct pgm_alert *find(struct pgm_alerts *alerts, struct pgm_arena *arena, const char *rule)
{
	struct pgm_alert *list;
	size_t count;
	pgm_alerts_list(alerts, "shop", arena, &list, &count);
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].rule, rule) == 0)
			return &list[i];
	return NULL;
}

static bool fires(struct pgm_alerts *alerts, struct pgm_arena *arena, const char *rule)
{
	const struct pgm_alert *alert = find(alerts, arena, rule);
	return alert && alert->phase == PGM_ALERT_FIRING;
}

static void every_rule_has_a_case(void **state)
{
	(void)state;
	assert_int_equal(CASES, pgm_alert_rule_count);
	assert_true(pgm_alert_rule_count <= PGM_ALERT_RULES_MAX);
	for (size_t i = 0; i < CASES; i++)
		if (!pgm_alert_rule_find(cases[i].rule))
			fail_msg("%s", cases[i].rule);
}

/* Well, then bad for long enough, then well again: quiet, not too early, fires, and resolves. */
static void run_case(size_t place)
{
	const struct pgm_alert_rule *rule = pgm_alert_rule_find(cases[place].rule);
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_alerts *alerts = open_alerts(NULL, 0, NULL);
	int number = 0, fired = -1, resolved = -1;
	now_ms = 1e6;
	for (; number < 40; number++)
		look(alerts, cases[place].fill, false, number);
	if (find(alerts, arena, rule->id))
		fail_msg("%s: not quiet", rule->id);
	double began_ms = now_ms;
	/* cumulative counters go on from where they are */
	for (int i = 0; i < 500 && fired < 0; i++) {
		look(alerts, cases[place].fill, true, number++);
		if (fires(alerts, arena, rule->id))
			fired = i;
		/* looked at 10 s after each other: the look before the time is up must not fire */
		if (fired >= 0 && now_ms - 10e3 - began_ms < rule->for_s * 1e3)
			fail_msg("%s: too early", rule->id);
	}
	const struct pgm_alert *alert = find(alerts, arena, rule->id);
	if (fired < 0)
		fail_msg("%s: did not fire", rule->id);
	for (int i = 0; i < 40; i++)
		look(alerts, cases[place].fill, true, number++);
	alert = find(alerts, arena, rule->id);
	if (!alert || alert->phase != PGM_ALERT_FIRING || strcmp(alert->what, cases[place].what) != 0 ||
	    !strstr(alert->summary, cases[place].summary) || alert->severity != rule->severity)
		fail_msg("%s: \"%s\" of \"%s\"", rule->id, alert ? alert->summary : "-",
			 alert ? alert->what : "-");
	/* well again: counters must not fall, so begin a new world of numbers */
	double well_ms = now_ms;
	for (int i = 0; i < 200 && resolved < 0; i++) {
		look(alerts, cases[place].fill, false, number++);
		if (!find(alerts, arena, rule->id))
			resolved = i;
	}
	if (resolved < 0)
		fail_msg("%s: did not resolve", rule->id);
	if (now_ms - 10e3 - well_ms < rule->settle_s * 1e3)
		fail_msg("%s: resolved too early", rule->id);
	pgm_alerts_close(alerts);
}

static void every_rule_fires_and_resolves(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++)
		if (cases[i].fill)
			run_case(i);
}

static void findings_fire_and_resolve(void **state)
{
	(void)state;
	static const char *const rules[] = {"table_bloat", "index_bloat", "partition_headroom",
					    "sequence_exhaustion", "prepared_transactions"};
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_alerts *alerts = open_alerts(NULL, 0, NULL);
	now_ms = 1e6;
	for (int i = 0; i < 5; i++) {
		const struct pgm_alert_rule *rule = pgm_alert_rule_find(rules[i]);
		const struct pgm_alert_finding found = {rule->metric, "public.orders"};
		pgm_alerts_findings(alerts, "shop", &found, 1);
		look(alerts, fill_tables, false, i);
		const struct pgm_alert *alert = find(alerts, arena, rules[i]);
		assert_true(alert && alert->phase == PGM_ALERT_FIRING);
		assert_non_null(strstr(alert->summary, "public.orders"));
		pgm_alerts_findings(alerts, "shop", NULL, 0);
		for (int j = 0; j < 8; j++)
			look(alerts, fill_tables, false, i);
		assert_null(find(alerts, arena, rules[i]));
	}
	pgm_alerts_close(alerts);
}

static void the_forecast_fires(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_alerts *alerts = open_alerts(NULL, 0, NULL);
	now_ms = 1e6;
	look(alerts, fill_tables, false, 0);
	pthread_mutex_lock(&alerts->lock);
	alerts->targets[0]->disk_days = 2;
	pthread_mutex_unlock(&alerts->lock);
	for (int i = 0; i < 400; i++)
		look(alerts, fill_tables, false, i);
	assert_true(fires(alerts, arena, "disk_forecast") && fires(alerts, arena, "disk_forecast_critical"));
	pthread_mutex_lock(&alerts->lock);
	alerts->targets[0]->disk_days = 200;
	pthread_mutex_unlock(&alerts->lock);
	for (int i = 0; i < 400; i++)
		look(alerts, fill_tables, false, i);
	assert_true(!find(alerts, arena, "disk_forecast") && !find(alerts, arena, "disk_forecast_critical"));
	pgm_alerts_close(alerts);
}

static void the_forecast_is_of_the_history(void **state)
{
	(void)state;
	char folder[] = "/tmp/pgmend-forecast-XXXXXX", path[64];
	struct pgm_error err = {0};
	static const char *const shop[] = {"shop"};
	const struct pgm_serve_line lines[] = {{.key = "disk_size", .value = "9TB"},
					       {.key = "disk_size.shop", .value = "30GB"}};
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/h.db", folder);
	struct pgm_history *history = pgm_history_open(path, 0, &err);
	assert_non_null(history);
	struct pgm_alerts *alerts = open_alerts(lines, 2, history);
	assert_true(isnan(pgm_alert_days_left(alerts, "shop")));
	for (int day = 0; day < 8; day++) /* a GB a day */
		for (int part = 0; part < 2; part++) {
			/* the second look brings the minute of the first into its hour */
			int64_t at_ms = day * INT64_C(86400000) + part * 1800000;
			struct made made = made_begin("shop", NOON + at_ms, 1e6 + (double)at_ms);
			made_add(&made, "pg_database_size_bytes", shop, (20.0 + day) * 0x1p30);
			const struct pgm_snapshot *snapshot = made_end(&made);
			pgm_history_put(history, snapshot);
			pgm_snapshot_release(snapshot);
		}
	pgm_history_flush(history);
	assert_true(fabs(pgm_alert_days_left(alerts, "shop") - 3) < 0.01);
	assert_true(isnan(pgm_alert_days_left(alerts, "other")));
	pgm_alerts_close(alerts);
	pgm_history_close(history);
	unlink(path);
	assert_int_equal(rmdir(folder), 0);
}

/* Between the two thresholds nothing changes: neither does it resolve, nor fire anew. */
static void fill_between(struct made *made, bool bad, int number)
{
	(void)bad;
	set(made, "pg_settings_max_connections", 100);
	set(made, "pgmend_sessions_connections", number);
}

static void thresholds_have_a_gap(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_alerts *alerts = open_alerts(NULL, 0, NULL);
	now_ms = 1e6;
	for (int i = 0; i < 30; i++)
		look(alerts, fill_between, false, 78);
	assert_null(find(alerts, arena, "connections"));
	for (int i = 0; i < 30; i++)
		look(alerts, fill_between, false, 82);
	assert_true(fires(alerts, arena, "connections"));
	for (int i = 0; i < 60; i++)
		look(alerts, fill_between, false, 78);
	assert_true(fires(alerts, arena, "connections"));
	for (int i = 0; i < 8; i++)
		look(alerts, fill_between, false, 70);
	assert_null(find(alerts, arena, "connections"));
	pgm_alerts_close(alerts);
}

/* Of a database that is down, nothing else is known: what fired goes on firing. */
static void what_is_not_known_stays(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_alerts *alerts = open_alerts(NULL, 0, NULL);
	now_ms = 1e6;
	look(alerts, fill_sessions, true, 0);
	assert_true(fires(alerts, arena, "lock_wait"));
	for (int i = 0; i < 100; i++)
		look(alerts, fill_down, true, i);
	assert_true(fires(alerts, arena, "lock_wait") && fires(alerts, arena, "database_down"));
	for (int i = 0; i < 10; i++)
		look(alerts, fill_sessions, false, i);
	assert_true(!find(alerts, arena, "lock_wait") && !find(alerts, arena, "database_down"));
	pgm_alerts_close(alerts);
}

static void fill_old_tables(struct made *made, bool bad, int number)
{
	fill_tables(made, bad, number);
	made->snapshot->stale_ms[PGM_COLLECT_TABLES] = NOON;
}

/* Tables that could not be read for long say nothing: neither that all is well, nor that it is not. */
static void what_is_old_is_not_judged(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_alerts *alerts = open_alerts(NULL, 0, NULL);
	now_ms = 1e6;
	for (int i = 0; i < 400; i++)
		look(alerts, fill_old_tables, true, i);
	assert_null(find(alerts, arena, "vacuum_due"));
	for (int i = 0; i < 400; i++)
		look(alerts, fill_tables, true, i);
	assert_true(fires(alerts, arena, "vacuum_due"));
	for (int i = 0; i < 400; i++)
		look(alerts, fill_old_tables, false, i);
	assert_true(fires(alerts, arena, "vacuum_due"));
	pgm_alerts_close(alerts);
}

/* A counter that was not known at the begin of the window is judged by the rest of it. */
static void a_window_may_begin_unknown(void **state)
{
	(void)state;
	struct pgm_alert_window window = {0};
	double change, seconds;
	for (int i = 0; i < 5; i++) {
		struct made made = made_begin("shop", NOON + i * 10000, 1e6 + i * 1e4);
		if (i > 1)
			database(&made, "pg_stat_database_deadlocks", i * 10.0);
		const struct pgm_snapshot *snapshot = made_end(&made);
		pgm_alert_window_add(&window, snapshot);
		pgm_snapshot_release(snapshot);
	}
	assert_true(pgm_alert_window_change(&window, PGM_COUNT_DEADLOCKS, &change, &seconds));
	assert_true(change == 20 && seconds == 20);
	assert_false(pgm_alert_window_change(&window, PGM_COUNT_COMMITS, &change, &seconds));
}

static void settings_change_rules(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const struct pgm_serve_line lines[] = {
		{.key = "lock_wait", .value = "off"},
		{.key = "connections.threshold", .value = "50%"},
		{.key = "connections.for", .value = "0s"},
		{.key = "connections.severity", .value = "critical"},
		{.key = "idle_in_transaction.threshold", .value = "2min"},
		{.key = "idle_in_transaction.resolve", .value = "10s"},
	};
	struct pgm_alerts *alerts = open_alerts(lines, 6, NULL);
	now_ms = 1e6;
	look(alerts, fill_sessions, true, 0);
	assert_null(find(alerts, arena, "lock_wait"));
	assert_true(find(alerts, arena, "idle_in_transaction")->threshold == 120);
	look(alerts, fill_between, false, 51);
	assert_true(fires(alerts, arena, "connections"));
	assert_int_equal(find(alerts, arena, "connections")->severity, PGM_ALERT_CRITICAL);
	pgm_alerts_close(alerts);
}

static void bad_settings_are_refused(void **state)
{
	(void)state;
	static const char *const bad[][2] = {
		{"nonsense", "1"},
		{"connections", "perhaps"},
		{"connections.threshold", "lots"},
		{"connections.threshold", "120%"},
		{"connections.for", "soon"},
		{"connections.colour", "red"},
		{"webhook", "ftp://x/y"},
		{"webhook", "https://a b/"},
		{"slack", "@/no/such/file"},
		{"exit_on", "database_up"},
		{"disk_size", "big"},
		{"send_from", "panic"},
		{"webhook_header", "no colon"},
		{"connections.resolve", "90%"},
	};
	struct pgm_error err;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&err, 0, sizeof(err));
		if (pgm_alert_check(bad[i][0], bad[i][1], &err) || err.kind != PGM_ERR_INPUT ||
		    !err.message[0])
			fail_msg("%s = %s", bad[i][0], bad[i][1]);
	}
	static const char *const good[][2] = {
		{"webhook", "https://u:p@hooks.example.com/T0/SECRET?x=1"},
		{"alertmanager", "http://am:9093/"},
		{"exit_on", "database_down, pool_wait"},
		{"disk_size.shop", "500GB"},
		{"replication_lag_bytes.threshold", "2GB"},
		{"disk_forecast.threshold", "30d"},
		{"cache_hit_ratio.threshold", "0.9"},
		{"webhook_header", "Authorization: Bearer x"},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!pgm_alert_check(good[i][0], good[i][1], &err))
			fail_msg("%s = %s: %s", good[i][0], good[i][1], err.message);
	/* a mistyped address is not repeated */
	assert_false(pgm_alert_check("slack", "hooks.slack.com/services/T0/SECRET", &err));
	assert_null(strstr(err.message, "SECRET"));
	assert_null(strstr(err.hint, "SECRET"));
}

static void addresses_are_secrets(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const struct pgm_serve_line lines[] = {
		{.key = "webhook",
		 .value = "https://user:SECRET@hooks.example.com:8443/SECRET?SECRET#SECRET"},
		{.key = "alertmanager", .value = "http://127.0.0.1:1/"},
	};
	struct pgm_alerts *alerts = open_alerts(lines, 2, NULL);
	struct pgm_alert_receiver *receivers;
	size_t count;
	pgm_alerts_receivers(alerts, arena, &receivers, &count);
	assert_int_equal(count, 2);
	assert_string_equal(receivers[0].address, "https://hooks.example.com:8443");
	assert_null(strstr(alerts->settings.receivers[0].key, "SECRET"));
	assert_string_equal(alerts->settings.receivers[1].url, "http://127.0.0.1:1/api/v2/alerts");
	pgm_alerts_close(alerts);
}

static void silences_hold_and_end(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_alerts *alerts = open_alerts(NULL, 0, NULL);
	struct pgm_error err = {0};
	struct pgm_alert_silence silence = {
		.id = "lock_wait", .target = "shop", .until_ms = INT64_MAX / 2, .who = "ann", .why = "known"};
	bool found;
	assert_true(pgm_alerts_silence(alerts, &silence, &err));
	now_ms = 1e6;
	look(alerts, fill_sessions, true, 0);
	const struct pgm_alert *alert = find(alerts, arena, "lock_wait");
	assert_true(alert->silence && strcmp(alert->silence->who, "ann") == 0);
	assert_null(find(alerts, arena, "idle_in_transaction")->silence);
	pthread_mutex_lock(&alerts->lock);
	for (const struct pgm_alert_state *one = alerts->targets[0]->states; one; one = one->next)
		if (one->phase == PGM_ALERT_FIRING)
			assert_int_equal(one->notified, strcmp(one->rule->id, "lock_wait") != 0);
	pthread_mutex_unlock(&alerts->lock);
	assert_true(pgm_alerts_unsilence(alerts, "lock_wait", "shop", &found, &err) && found);
	assert_true(pgm_alerts_unsilence(alerts, "lock_wait", "shop", &found, &err) && !found);
	look(alerts, fill_sessions, true, 0); /* it is told of now */
	pthread_mutex_lock(&alerts->lock);
	for (const struct pgm_alert_state *one = alerts->targets[0]->states; one; one = one->next)
		assert_int_equal(one->notified, one->phase == PGM_ALERT_FIRING);
	pthread_mutex_unlock(&alerts->lock);
	silence.until_ms = 5;
	assert_false(pgm_alerts_silence(alerts, &silence, &err));
	pgm_alerts_close(alerts);
}

/* The state, silences and what waits for a receiver that is not there are found again. */
static void a_restart_loses_nothing(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char folder[] = "/tmp/pgmend-alerts-XXXXXX", path[64], name[96];
	struct pgm_error err = {0};
	struct pgm_alert_receiver *receivers;
	size_t count;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/h.db", folder);
	/* port 1: nobody listens there */
	const struct pgm_serve_line lines[] = {{.key = "webhook", .value = "http://127.0.0.1:1/hook"}};
	const struct pgm_alert_silence silence = {
		.id = "*", .target = "other", .until_ms = INT64_MAX / 2, .who = "ann", .why = "x"};
	struct pgm_history *history = pgm_history_open(path, 0, &err);
	assert_non_null(history);
	struct pgm_alerts *alerts = open_alerts(lines, 1, history);
	assert_true(pgm_alerts_silence(alerts, &silence, &err));
	now_ms = 1e6;
	look(alerts, fill_sessions, true, 0);
	pgm_alerts_close(alerts);
	pgm_history_close(history);
	history = pgm_history_open(path, 0, &err);
	assert_non_null(history);
	alerts = open_alerts(lines, 1, history);
	assert_true(fires(alerts, arena, "lock_wait") && fires(alerts, arena, "idle_in_transaction"));
	pgm_alerts_receivers(alerts, arena, &receivers, &count);
	assert_int_equal(receivers[0].waiting, 5 - 1); /* sessions_blocked waits for its minute */
	struct pgm_alert_silence *silences;
	pgm_alerts_silences(alerts, arena, &silences, &count);
	assert_true(count == 1 && strcmp(silences[0].target, "other") == 0);
	/* told of before: not told again, but of its end */
	for (int i = 0; i < 10; i++)
		look(alerts, fill_sessions, false, i);
	assert_null(find(alerts, arena, "lock_wait"));
	pgm_alerts_close(alerts);
	struct pgm_history_record *records;
	assert_true(pgm_history_record_list(history, "delivery", 0, arena, &records, &count, &err));
	assert_int_equal(count, 8);
	for (size_t i = 0; i < count; i++)
		assert_null(strstr(records[i].body, "/hook"));
	pgm_history_close(history);
	for (int i = 0; i < 3; i++) {
		static const char *const ends[] = {"", "-wal", "-shm"};
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
	assert_int_equal(rmdir(folder), 0);
}

/* Where there is no room for one more, it is not in the file either. */
static void a_refused_silence_leaves_nothing(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char folder[] = "/tmp/pgmend-silences-XXXXXX", path[64];
	struct pgm_error err = {0};
	struct pgm_history_record *records;
	size_t count;
	bool found;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/h.db", folder);
	struct pgm_history *history = pgm_history_open(path, 0, &err);
	assert_non_null(history);
	struct pgm_alerts *alerts = open_alerts(NULL, 0, history);
	for (int i = 0; i < PGM_ALERT_SILENCES_MAX; i++) {
		struct pgm_alert_silence_slot *slot = pgm_alert_memory(sizeof(*slot));
		*slot = (struct pgm_alert_silence_slot){
			.id = pgm_alert_copy(pgm_sprintf(arena, "lock_wait:%d", i)),
			.target = pgm_alert_copy(""),
			.who = pgm_alert_copy("ann"),
			.why = pgm_alert_copy("known"),
			.until_ms = INT64_MAX / 2};
		alerts->silences[alerts->silence_count++] = slot;
	}
	struct pgm_alert_silence silence = {
		.id = "lock_wait", .target = "shop", .until_ms = INT64_MAX / 2, .who = "bob", .why = "x"};
	assert_false(pgm_alerts_silence(alerts, &silence, &err));
	assert_int_equal(err.kind, PGM_ERR_STATE);
	assert_true(pgm_history_record_list(history, "silence", 0, arena, &records, &count, &err));
	assert_int_equal(count, 0);
	/* one of the same alert takes the place of the one before */
	silence.id = "lock_wait:7";
	silence.target = "";
	assert_true(pgm_alerts_silence(alerts, &silence, &err));
	assert_true(pgm_history_record_list(history, "silence", 0, arena, &records, &count, &err));
	assert_int_equal(count, 1);
	assert_true(pgm_alerts_unsilence(alerts, "lock_wait:8", "", &found, &err) && found);
	silence.id = "lock_wait";
	assert_true(pgm_alerts_silence(alerts, &silence, &err));
	pgm_alerts_close(alerts);
	pgm_history_close(history);
	unlink(path);
	assert_int_equal(rmdir(folder), 0);
}

/* docs/alerts.md has the table that the rules make. With PGMEND_WRITE_DOCS it is written. */
static void the_documentation_is_right(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_error err = {0};
	static const char path[] = PGM_SOURCE_ROOT "/docs/alerts.md", begin[] = "<!-- rules -->\n";
	char *page, *table = pgm_alert_rules_markdown(arena);
	if (!pgm_file_read(arena, path, 1 << 20, &page, &err))
		fail_msg("%s", err.message);
	char *at = strstr(page, begin), *end = strstr(page, "<!-- end of rules -->");
	assert_true(at && end && at < end);
	at += strlen(begin);
	if (getenv("PGMEND_WRITE_DOCS")) {
		char *whole = pgm_sprintf(arena, "%.*s%s%s", (int)(at - page), page, table, end);
		assert_true(pgm_file_replace(arena, path, whole, &err));
		return;
	}
	if ((size_t)(end - at) != strlen(table) || memcmp(at, table, strlen(table)) != 0)
		fail_msg("docs/alerts.md has other rules: run this test with PGMEND_WRITE_DOCS=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_has_a_case),
		cmocka_unit_test(every_rule_fires_and_resolves),
		cmocka_unit_test(findings_fire_and_resolve),
		cmocka_unit_test(the_forecast_fires),
		cmocka_unit_test(the_forecast_is_of_the_history),
		cmocka_unit_test(thresholds_have_a_gap),
		cmocka_unit_test(what_is_not_known_stays),
		cmocka_unit_test(what_is_old_is_not_judged),
		cmocka_unit_test(a_window_may_begin_unknown),
		cmocka_unit_test(settings_change_rules),
		cmocka_unit_test(bad_settings_are_refused),
		cmocka_unit_test(addresses_are_secrets),
		cmocka_unit_test(silences_hold_and_end),
		cmocka_unit_test(a_restart_loses_nothing),
		cmocka_unit_test(a_refused_silence_leaves_nothing),
		cmocka_unit_test(the_documentation_is_right),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
