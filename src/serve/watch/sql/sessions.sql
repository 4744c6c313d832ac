-- The sessions of this database in a few figures; the one that looks is left out. Who blocks is asked of
-- those that wait alone, and of 50 at most.
WITH everybody AS MATERIALIZED (
	SELECT a.pid,
		a.datname = pg_catalog.current_database() AS here,
		a.backend_type,
		a.state,
		a.wait_event_type,
		EXTRACT(epoch FROM t.now - a.query_start) AS query_s,
		EXTRACT(epoch FROM t.now - a.xact_start) AS transaction_s,
		EXTRACT(epoch FROM t.now - a.state_change) AS state_s
	FROM pg_catalog.pg_stat_activity AS a
	CROSS JOIN (SELECT pg_catalog.clock_timestamp() AS now) AS t
	WHERE a.pid <> pg_catalog.pg_backend_pid()
		AND (a.backend_type = 'client backend' OR a.backend_type IS NULL)
),
waiting AS (
	SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS pid
	FROM (SELECT e.pid FROM everybody AS e WHERE e.here AND e.wait_event_type = 'Lock' LIMIT 50) AS w
)
SELECT pg_catalog.count(*) AS pgmend_sessions_connections,
	pg_catalog.count(*) FILTER (WHERE here AND state IN ('active', 'fastpath function call'))
		AS pgmend_sessions_active,
	pg_catalog.count(*) FILTER (WHERE here AND state = 'idle') AS pgmend_sessions_idle,
	pg_catalog.count(*) FILTER (WHERE here AND state LIKE 'idle in transaction%')
		AS pgmend_sessions_idle_in_transaction,
	pg_catalog.count(*) FILTER (WHERE here AND wait_event_type = 'Lock') AS pgmend_sessions_waiting_for_lock,
	(SELECT pg_catalog.count(DISTINCT w.pid)
		FROM waiting AS w
		WHERE NOT EXISTS (SELECT FROM everybody AS b WHERE b.pid = w.pid AND b.wait_event_type = 'Lock'))
		AS pgmend_sessions_blockers,
	coalesce(max(query_s) FILTER (WHERE here AND state = 'active'), 0) AS pgmend_longest_query_seconds,
	coalesce(max(transaction_s) FILTER (WHERE here), 0) AS pgmend_longest_transaction_seconds,
	coalesce(max(state_s) FILTER (WHERE here AND state LIKE 'idle in transaction%'), 0)
		AS pgmend_longest_idle_in_transaction_seconds,
	coalesce(max(query_s) FILTER (WHERE here AND wait_event_type = 'Lock'), 0)
		AS pgmend_longest_lock_wait_seconds,
	pg_catalog.count(*) FILTER (WHERE here AND transaction_s > 60) AS pg_long_running_transactions,
	coalesce(max(transaction_s) FILTER (WHERE here), 0)
		AS pg_long_running_transactions_oldest_timestamp_seconds,
	pg_catalog.count(*) FILTER (WHERE here) AS total
FROM everybody
