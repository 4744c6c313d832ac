#include "serve/alert/rules.h"

#include "util/format.h"

#include <math.h>
#include <string.h>

#define INFO	 PGM_ALERT_INFO
#define WARNING	 PGM_ALERT_WARNING
#define CRITICAL PGM_ALERT_CRITICAL
#define NUMBER	 PGM_ALERT_NUMBER
#define SECONDS	 PGM_ALERT_SECONDS
#define BYTES	 PGM_ALERT_BYTES
#define RATIO	 PGM_ALERT_RATIO
#define XIDS	 PGM_ALERT_TRANSACTIONS
#define A_MINUTE PGM_ALERT_PER_MINUTE
#define DAYS	 PGM_ALERT_DAYS
#define GB	 0x1p30

/* clang-format off */
const struct pgm_alert_rule pgm_alert_rules[] = {
	{"database_down", CRITICAL, pgm_look_down, "pg_up", NUMBER, false, 1, 1, 60, 0,
	 "the database cannot be reached",
	 "See whether the server runs and takes connections; pgmend's own error is in /api/v1/databases.",
	 "the database cannot be reached"},
	{"server_restarted", INFO, pgm_look_restarted, "pg_postmaster_start_time_seconds", SECONDS, true, 300, 300, 0, 0,
	 "the server started {value} ago",
	 "If nobody restarted it, its log says why: a crash, or the kernel's out-of-memory killer.",
	 "the server started a short while ago"},
	{"connections", WARNING, pgm_look_connections, "pgmend_sessions_connections", RATIO, false, 0.80, 0.75, 120, 60,
	 "{value} of the connections are in use (from {limit})",
	 "Pool them (pgmend pool), or find who holds idle ones: pgmend sessions.",
	 "this share of max_connections (less those kept for superusers) is in use"},
	{"connections_critical", CRITICAL, pgm_look_connections, "pgmend_sessions_connections", RATIO, false,
	 0.95, 0.90, 60, 60,
	 "{value} of the connections are in use (from {limit})",
	 "New sessions are about to be refused. Pool them (pgmend pool), or end idle ones: pgmend sessions.",
	 "nearly all of them are"},
	{"query_over_a_minute", WARNING, pgm_look_gauge, "pgmend_longest_query_seconds", SECONDS, false, 60, 60, 0, 30,
	 "a statement has run for {value}",
	 "pgmend sessions shows it and whom it blocks, and can cancel it.",
	 "a statement runs so long"},
	{"transaction_open", WARNING, pgm_look_gauge, "pgmend_longest_transaction_seconds", SECONDS, false,
	 3600, 3600, 0, 60,
	 "a transaction has been open for {value}",
	 "While it is open, VACUUM removes nothing that it might see: pgmend sessions shows whose it is.",
	 "a transaction is open so long"},
	{"idle_in_transaction", WARNING, pgm_look_gauge, "pgmend_longest_idle_in_transaction_seconds", SECONDS, false,
	 300, 300, 0, 30,
	 "a session has been idle in its transaction for {value}",
	 "It holds its locks: pgmend sessions shows it. idle_in_transaction_session_timeout ends such ones.",
	 "a session does nothing, with a transaction open, for so long"},
	{"lock_wait", WARNING, pgm_look_gauge, "pgmend_longest_lock_wait_seconds", SECONDS, false, 30, 30, 0, 30,
	 "a session has waited for a lock for {value}",
	 "pgmend sessions shows the tree of who waits for whom.",
	 "a session waits for a lock so long"},
	{"sessions_blocked", CRITICAL, pgm_look_gauge, "pgmend_sessions_waiting_for_lock", NUMBER, false, 5, 3, 60, 30,
	 "{value} sessions wait for locks",
	 "End the session at the root of the tree: pgmend sessions.",
	 "so many sessions wait for locks"},
	{"pool_exhausted", WARNING, pgm_look_gauge, "pgbouncer_pools_client_waiting_connections", NUMBER, false,
	 1, 1, 60, 60,
	 "{value} clients of the pool {what} wait for a server",
	 "Statements take too long or the pool is too small: pgmend top, and pool_size.",
	 "clients of a pool wait for a server connection"},
	{"pool_wait", CRITICAL, pgm_look_gauge, "pgbouncer_pools_client_maxwait_seconds", SECONDS, false, 5, 1, 10, 60,
	 "a client of the pool {what} has waited for {value}",
	 "Statements take too long or the pool is too small: pgmend top, and pool_size.",
	 "a client waits so long for one"},
	{"cache_hit_ratio", INFO, pgm_look_cache_hit, "pg_stat_database_blks_hit", RATIO, true, 0.95, 0.97, 300, 120,
	 "{value} of the blocks were found in the shared buffers (below {limit})",
	 "Look for statements that read much: pgmend check, pgmend advise; then at shared_buffers.",
	 "of at least 100,000 blocks in five minutes, fewer than this were found in the shared buffers"},
	{"replication_lag", WARNING, pgm_look_lag, "pgmend_replica_lag_seconds", SECONDS, false, 10, 5, 60, 60,
	 "{what} is {value} behind",
	 "Look at its disk and network, and for statements on it that hold replay up.",
	 "a standby is so far behind"},
	{"replication_lag_critical", CRITICAL, pgm_look_lag, "pgmend_replica_lag_seconds", SECONDS, false, 60, 30, 60, 60,
	 "{what} is {value} behind",
	 "Look at its disk and network, and for statements on it that hold replay up.",
	 "a standby is far behind"},
	{"replication_lag_bytes", WARNING, pgm_look_gauge, "pg_stat_replication_pg_wal_lsn_diff", BYTES, false,
	 1 * GB, 0.5 * GB, 300, 60,
	 "{what} has {value} of WAL to replay",
	 "Look at its disk and network; without a slot it may lose its place: wal_keep_size.",
	 "a standby has so much WAL to replay"},
	{"slot_retention", WARNING, pgm_look_slot_kept, "pg_replication_slots_pg_wal_lsn_diff", BYTES, false,
	 1 * GB, 0.5 * GB, 600, 60,
	 "the unused replication slot {what} keeps {value} of WAL",
	 "Bring its reader back, or drop it: SELECT pg_drop_replication_slot(...). max_slot_wal_keep_size bounds it.",
	 "a slot that nobody reads keeps so much WAL"},
	{"slot_lost", CRITICAL, pgm_look_gauge, "pgmend_replication_slot_lost", NUMBER, false, 1, 1, 0, 60,
	 "WAL that the replication slot {what} needs is gone, or is about to go",
	 "Its reader must start anew (a standby: from a base backup); raise max_slot_wal_keep_size.",
	 "WAL that a slot needs is gone or about to go"},
	{"wraparound", WARNING, pgm_look_gauge, "pg_database_wraparound_age_datfrozenxid_seconds", XIDS, false,
	 860e6, 800e6, 0, 60,
	 "the oldest transaction of {what} is {value} transactions old",
	 "Autovacuum loses: see what holds it up (pgmend check: xid_wraparound, xmin_horizon), and VACUUM (FREEZE).",
	 "the oldest transaction id is 40 % of the way to wraparound"},
	{"wraparound_critical", CRITICAL, pgm_look_gauge, "pg_database_wraparound_age_datfrozenxid_seconds", XIDS, false,
	 1500e6, 1400e6, 0, 60,
	 "the oldest transaction of {what} is {value} transactions old: at 2.1 billion the server stops writes",
	 "VACUUM (FREEZE) the oldest tables now, after ending what holds xmin back: pgmend check.",
	 "it is 70 % of the way"},
	{"xmin_horizon", WARNING, pgm_look_gauge, "pgmend_xmin_horizon_age_transactions", XIDS, false,
	 10e6, 8e6, 600, 60,
	 "a {what} keeps dead rows of the last {value} transactions from being removed",
	 "End the session, the prepared transaction or the slot that holds it: pgmend check says which.",
	 "a session, slot, standby or prepared transaction holds back VACUUM so far"},
	{"vacuum_due", WARNING, pgm_look_vacuum_due, "pgmend_table_vacuum_due_ratio", NUMBER, false, 2, 1, 3600, 60,
	 "autovacuum of {what} is overdue: {value} times the dead rows that start it",
	 "Give autovacuum more: autovacuum_vacuum_cost_limit, autovacuum_max_workers; or see what holds it back.",
	 "a table has for an hour had this many times the dead rows that start autovacuum"},
	{"error_rate", WARNING, pgm_look_query_errors, "pgmend_query_errors_total", RATIO, false, 0.05, 0.03, 120, 60,
	 "{value} of the queries through the pool fail",
	 "pgmend top shows which, with their SQLSTATEs.",
	 "of at least a query a second through the pool, this share fails"},
	{"rollback_ratio", WARNING, pgm_look_rollbacks, "pg_stat_database_xact_rollback", RATIO, false, 0.10, 0.05, 300, 60,
	 "{value} of the transactions are rolled back",
	 "The server's log has the errors; applications that roll back what they only read are harmless.",
	 "of at least a transaction a second, this share is rolled back"},
	{"n_plus_one", INFO, pgm_look_per_minute, "pgmend_query_bursts_total", A_MINUTE, false, 10, 5, 60, 60,
	 "{value} times a minute a transaction runs one statement ten times or more",
	 "Fetch the rows in one statement (a join, or = ANY($1)): pgmend top --sort=n1 shows which.",
	 "transactions run one statement over and over (N+1), so often"},
	{"deadlocks", INFO, pgm_look_per_minute, "pg_stat_database_deadlocks", A_MINUTE, false, 0.1, 0.1, 0, 60,
	 "there are {value} deadlocks a minute",
	 "The server's log has both statements; take locks in one order everywhere.",
	 "there was a deadlock in the last minutes"},
	{"deadlocks_many", WARNING, pgm_look_per_minute, "pg_stat_database_deadlocks", A_MINUTE, false, 5, 2, 60, 60,
	 "there are {value} deadlocks a minute",
	 "The server's log has both statements; take locks in one order everywhere.",
	 "there are so many deadlocks"},
	{"lock_table", WARNING, pgm_look_lock_table, "pg_locks_count", RATIO, false, 0.20, 0.15, 60, 60,
	 "{value} of the room for locks is taken",
	 "A statement over very many partitions, or a dump; raise max_locks_per_transaction before it runs out.",
	 "this share of the shared lock table is taken"},
	{"invalid_index", WARNING, pgm_look_gauge, "pgmend_indexes_invalid", NUMBER, false, 1, 1, 3600, 60,
	 "{value} indexes are invalid: written to, and used by no query",
	 "Build anew or drop what a failed CREATE INDEX CONCURRENTLY left: pgmend check --only=invalid_index.",
	 "an index has been invalid for an hour (longer than most builds)"},
	{"archive_failing", CRITICAL, pgm_look_change, "pg_stat_archiver_failed_count", NUMBER, false, 1, 1, 300, 120,
	 "archiving of WAL failed {value} times in the last minutes",
	 "The server's log has archive_command's error. Until it works, WAL fills the disk.",
	 "WAL files cannot be archived"},
	{"checkpoints_requested", INFO, pgm_look_change, "pg_stat_bgwriter_checkpoints_req_total", NUMBER, false,
	 3, 2, 600, 300,
	 "{value} checkpoints were forced by WAL in five minutes",
	 "Raise max_wal_size: frequent checkpoints write whole pages to the WAL again and again.",
	 "so many checkpoints in five minutes were forced by the amount of WAL"},
	{"statements_evicted", INFO, pgm_look_per_minute, "pgmend_statements_dealloc_total", A_MINUTE, false, 1, 0.5, 600, 300,
	 "pg_stat_statements drops its rarest statements {value} times a minute",
	 "Figures of statements are too low: raise pg_stat_statements.max, or use parameters in place of literals.",
	 "pg_stat_statements has room for fewer statements than there are"},
	{"checksum_failures", CRITICAL, pgm_look_gauge, "pgmend_database_checksum_failures_total", NUMBER, false,
	 1, 1, 0, 60,
	 "{value} pages had a wrong checksum",
	 "The disk or the memory is at fault: see the server's log, fail over, and restore what is damaged.",
	 "a page was read whose checksum is wrong"},
	{"table_bloat", INFO, pgm_look_finding, "table_bloat", NUMBER, false, 1, 1, 0, 60,
	 "{what} is bloated",
	 "pgmend check --only=table_bloat has the estimate; a rewrite (VACUUM FULL, pg_repack) gives the space back.",
	 "the check table_bloat finds a table"},
	{"index_bloat", INFO, pgm_look_finding, "index_bloat", NUMBER, false, 1, 1, 0, 60,
	 "{what} is bloated",
	 "REINDEX INDEX CONCURRENTLY gives the space back; pgmend serve can do that by a timetable: [chores].",
	 "the check index_bloat finds an index"},
	{"partition_headroom", WARNING, pgm_look_finding, "partitions_missing_ahead", NUMBER, false, 1, 1, 0, 60,
	 "{what} has too few partitions ahead",
	 "pgmend partition upkeep makes them; pgmend serve can do that by a timetable: [chores].",
	 "the check partitions_missing_ahead finds a table"},
	{"sequence_exhaustion", WARNING, pgm_look_finding, "sequence_exhaustion", NUMBER, false, 1, 1, 0, 60,
	 "{what} is running out of numbers",
	 "pgmend check --only=sequence_exhaustion says when; make the column bigint.",
	 "the check sequence_exhaustion finds a sequence"},
	{"prepared_transactions", WARNING, pgm_look_finding, "prepared_transactions", NUMBER, false, 1, 1, 0, 60,
	 "the prepared transaction {what} is left over",
	 "It holds locks and xmin: COMMIT PREPARED or ROLLBACK PREPARED it.",
	 "the check prepared_transactions finds one"},
	{"disk_forecast", WARNING, pgm_look_disk, "pg_database_size_bytes", DAYS, true, 14, 16, 3600, 3600,
	 "at the growth of the last weeks the disk is full in {value}",
	 "Make room or add disk; /api/v1/databases/{db}/growth shows what grows.",
	 "the databases reach disk_size so soon (needs disk_size in [alerts], and five days of history)"},
	{"disk_forecast_critical", CRITICAL, pgm_look_disk, "pg_database_size_bytes", DAYS, true, 3, 4, 600, 3600,
	 "at the growth of the last weeks the disk is full in {value}",
	 "Make room or add disk now: when it is full, the server stops.",
	 "they reach it in a few days"},
	{"history_paused", WARNING, pgm_look_history, "pgmend_history_paused", NUMBER, false, 1, 1, 60, 0,
	 "pgmend cannot write its history",
	 "Its log says why: mostly the disk of the history is full.",
	 "pgmend's own history cannot be written"},
};
/* clang-format on */
const size_t pgm_alert_rule_count = sizeof(pgm_alert_rules) / sizeof(pgm_alert_rules[0]);

const struct pgm_alert_rule *pgm_alert_rule_find(const char *id)
{
	for (size_t i = 0; i < pgm_alert_rule_count; i++)
		if (strcmp(pgm_alert_rules[i].id, id) == 0)
			return &pgm_alert_rules[i];
	return NULL;
}

const char *pgm_alert_severity_name(enum pgm_alert_severity severity)
{
	static const char *const names[] = {"info", "warning", "critical"};
	return names[severity];
}

/* "30 s", "5 min", "1 min 1 s", "1 h". */
static char *seconds_text(struct pgm_arena *arena, double seconds)
{
	if (seconds < 60)
		return pgm_sprintf(arena, "%.3g s", seconds);
	long whole = (long)seconds, high = seconds < 3600 ? 60 : 3600;
	long rest = whole % high / (high / 60);
	char *text = pgm_sprintf(arena, "%ld %s", whole / high, high == 60 ? "min" : "h");
	return rest ? pgm_sprintf(arena, "%s %ld %s", text, rest, high == 60 ? "s" : "min") : text;
}

char *pgm_alert_value_text(struct pgm_arena *arena, enum pgm_alert_unit unit, double value)
{
	switch (unit) {
	case PGM_ALERT_SECONDS:
		return seconds_text(arena, value);
	case PGM_ALERT_BYTES:
		return pgm_format_bytes(arena, value);
	case PGM_ALERT_RATIO:
		return pgm_sprintf(arena, "%.3g %%", value * 100);
	case PGM_ALERT_TRANSACTIONS:
		return pgm_format_count(arena, value);
	case PGM_ALERT_DAYS:
		return pgm_sprintf(arena, "%.3g days", value);
	case PGM_ALERT_NUMBER:
	case PGM_ALERT_PER_MINUTE:
		break;
	}
	return value == floor(value) ? pgm_format_count(arena, value) : pgm_sprintf(arena, "%.2g", value);
}

char *pgm_alert_summary(struct pgm_arena *arena, const struct pgm_alert_rule *rule, const char *what,
			double value, double limit)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	pgm_buf_add(&buf, "");
	for (const char *at = rule->summary; *at;) {
		if (strncmp(at, "{what}", 6) == 0) {
			pgm_buf_add(&buf, what);
			at += 6;
		} else if (strncmp(at, "{value}", 7) == 0) {
			pgm_buf_add(&buf, pgm_alert_value_text(arena, rule->unit, value));
			at += 7;
		} else if (strncmp(at, "{limit}", 7) == 0) {
			pgm_buf_add(&buf, pgm_alert_value_text(arena, rule->unit, limit));
			at += 7;
		} else {
			pgm_buf_char(&buf, *at++);
		}
	}
	return buf.text;
}

char *pgm_alert_rules_markdown(struct pgm_arena *arena)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	pgm_buf_add(&buf, "| rule | severity | fires when | threshold | for | resolves at "
			  "|\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < pgm_alert_rule_count; i++) {
		const struct pgm_alert_rule *rule = &pgm_alert_rules[i];
		const char *unit = rule->unit == PGM_ALERT_PER_MINUTE ? " a minute" : "";
		pgm_buf_printf(&buf, "| `%s` | %s | %s | %s%s%s | %s | %s%s%s |\n", rule->id,
			       pgm_alert_severity_name(rule->severity), rule->when,
			       rule->below ? "at most " : "",
			       pgm_alert_value_text(arena, rule->unit, rule->fire), unit,
			       rule->for_s ? seconds_text(arena, rule->for_s) : "at once",
			       rule->below ? "above " : "below ",
			       pgm_alert_value_text(arena, rule->unit, rule->resolve), unit);
	}
	return buf.text;
}
