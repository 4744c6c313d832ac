-- Sessions by state: of this database each state, of the others those that there are (at most 200 rows). The
-- session that looks is left out.
WITH session AS MATERIALIZED (
	SELECT a.datname, coalesce(a.state, 'unknown') AS state, a.xact_start
	FROM pg_catalog.pg_stat_activity AS a
	WHERE a.datname IS NOT NULL
		AND a.pid <> pg_catalog.pg_backend_pid()
),
usual AS (
	SELECT pg_catalog.current_database() AS datname, s.state
	FROM (VALUES ('active'), ('idle'), ('idle in transaction'), ('idle in transaction (aborted)'),
		('fastpath function call'), ('disabled')) AS s (state)
)
SELECT datname,
	state,
	pg_catalog.count(s.found) AS pg_stat_activity_count,
	coalesce(EXTRACT(epoch FROM max(pg_catalog.clock_timestamp() - s.xact_start)), 0)
		AS pg_stat_activity_max_tx_duration
FROM usual
FULL JOIN (SELECT session.*, true AS found FROM session) AS s USING (datname, state)
GROUP BY datname, state
ORDER BY datname = pg_catalog.current_database() DESC, 3 DESC
LIMIT 200
