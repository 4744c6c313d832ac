/*
 * Which metrics the charts show, by their names in docs/metrics.md. The history answers counters as rates a
 * second; sum() adds up the series of a metric's labels.
 */
export const METRICS = {
	commits: "pg_stat_database_xact_commit",
	rollbacks: "pg_stat_database_xact_rollback",
	hit: "pg_stat_database_blks_hit",
	read: "pg_stat_database_blks_read",
	deadlocks: "pg_stat_database_deadlocks",
	size: "pg_database_size_bytes",
	active: "pgmend_sessions_active",
	idle: "pgmend_sessions_idle_in_transaction",
	blocked: "pgmend_sessions_waiting_for_lock",
	oldest: "pgmend_longest_transaction_seconds",
	connections: "pgmend_sessions_connections",
	lag: "pg_replication_lag_seconds",
	calls: "pgmend_statements_calls_total",
	time: "pgmend_statements_seconds_total",
	waiting: "pgbouncer_pools_client_waiting_connections",
};

/* Several series as one: what is missing at a moment counts as nothing. */
export function sum(series) {
	const at = new Map();
	for (const one of series)
		for (const [t, v] of one.points)
			if (typeof v === "number")
				at.set(t, (at.get(t) || 0) + v);
			else if (!at.has(t))
				at.set(t, null);
	return [...at].sort((a, b) => a[0] - b[0]);
}

/* One series over another, moment by moment. */
export function over(numerator, denominator, times = 1) {
	const below = new Map(denominator);
	return numerator.map(([t, v]) => {
		const d = below.get(t);
		return [t, typeof v === "number" && d > 0 ? (v / d) * times : null];
	});
}

export function plus(a, b) {
	return sum([{points: a}, {points: b}]);
}

/* The last values, for a sparkline. */
export const tail = (points, n = 40) => points.slice(-n).map((p) => p[1]);
