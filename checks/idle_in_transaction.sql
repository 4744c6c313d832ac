-- id: idle_in_transaction
-- title: Session idle in a transaction
-- family: sessions
-- severity: warning
-- versions: 13-
-- threshold: min_seconds 60 | it is idle for at least so long
-- threshold: critical_seconds 300 | critical from so long on, where it holds locks or rows that others need
--
-- A session that began a transaction and does nothing. It keeps its locks, so that others wait for it; where
-- it has a snapshot or has written, vacuum keeps every row in the database that died since; and it takes a
-- connection.
WITH
session AS MATERIALIZED (
	SELECT a.pid, a.usename, a.application_name, a.client_addr, a.state,
	       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.state_change) AS seconds,
	       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.xact_start)
		AS transaction_seconds,
	       GREATEST(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid)) AS xmin_age,
	       a.backend_xid IS NOT NULL AS wrote,
	       a.query
	FROM pg_catalog.pg_stat_activity AS a
	WHERE a.datname = pg_catalog.current_database()
	AND a.pid <> pg_catalog.pg_backend_pid()
	AND a.application_name <> 'pgmend'
	AND COALESCE(a.backend_type, 'client backend') = 'client backend'
),
idle AS MATERIALIZED (
	SELECT s.*, :masked_query AS text
	FROM session AS s
	WHERE s.state IN ('idle in transaction', 'idle in transaction (aborted)')
	AND s.seconds >= :min_seconds::pg_catalog.float8
),
-- costly with many sessions: only for those that wait for a lock, and only where one is idle
waiting AS MATERIALIZED (
	SELECT b.blocker, pg_catalog.count(*) AS sessions
	FROM pg_catalog.pg_stat_activity AS a
	CROSS JOIN LATERAL (
		SELECT DISTINCT p.pid AS blocker
		FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS p (pid)
	) AS b
	WHERE a.wait_event_type = 'Lock'
	AND EXISTS (SELECT FROM idle)
	GROUP BY b.blocker
),
held AS MATERIALIZED (
	SELECT l.pid, pg_catalog.count(DISTINCT l.relation) AS relations,
	       pg_catalog.string_agg(DISTINCT l.mode, ', ') AS modes,
	       -- every open transaction may hold the weakest
	       pg_catalog.bool_or(l.mode <> 'AccessShareLock') AS strong
	FROM pg_catalog.pg_locks AS l
	WHERE l.granted
	AND l.locktype = 'relation'
	AND EXISTS (SELECT FROM idle AS i WHERE i.pid = l.pid)
	GROUP BY l.pid
)
SELECT NULL AS schema,
       pg_catalog.format('process %s', i.pid) AS object,
       CASE WHEN i.seconds >= :critical_seconds::pg_catalog.float8
		AND (i.xmin_age IS NOT NULL OR h.strong OR w.sessions > 0) THEN 'critical'
       ELSE 'warning' END AS severity,
       pg_catalog.format('Idle for %s in a transaction of %s, as %I%s%s%s%s. Last: %s',
		pg_catalog.make_interval(secs =>
			pg_catalog.round(i.seconds::pg_catalog.numeric)::pg_catalog.float8),
		pg_catalog.make_interval(secs =>
			pg_catalog.round(i.transaction_seconds::pg_catalog.numeric)::pg_catalog.float8),
		i.usename,
		CASE WHEN i.application_name <> '' THEN pg_catalog.format(' (%s)', i.application_name)
		ELSE '' END,
		COALESCE(pg_catalog.format('; holds locks on %s relation(s) (%s)', h.relations, h.modes), ''),
		COALESCE(pg_catalog.format('; %s session(s) wait for it', w.sessions), ''),
		COALESCE(pg_catalog.format('; vacuum keeps what died in the last %s transactions',
			i.xmin_age), ''),
		i.text) AS detail,
       pg_catalog.format(E'SELECT pg_terminate_backend(%s);\n'
		'-- and for the future: ALTER ROLE %I SET idle_in_transaction_session_timeout = ''5min'';',
		i.pid, i.usename) AS remedy,
       pg_catalog.format('idle_in_transaction:%I:%s', i.usename, i.application_name) AS ignore_key,
       COALESCE(w.sessions, 0) * 100000 + i.seconds AS impact,
       pg_catalog.jsonb_build_object(
		'pid', i.pid,
		'state', i.state,
		'seconds', pg_catalog.round(i.seconds::pg_catalog.numeric, 1),
		'transaction_seconds', pg_catalog.round(i.transaction_seconds::pg_catalog.numeric, 1),
		'user', i.usename,
		'application', i.application_name,
		'client', i.client_addr,
		'wrote', i.wrote,
		'xmin_age', i.xmin_age,
		'locked_relations', COALESCE(h.relations, 0),
		'lock_modes', h.modes,
		'waiting_sessions', COALESCE(w.sessions, 0),
		'text', i.text
       ) AS evidence
FROM idle AS i
LEFT JOIN held AS h ON h.pid = i.pid
LEFT JOIN waiting AS w ON w.blocker = i.pid
UNION ALL
SELECT NULL, NULL, 'unknown',
       pg_catalog.format('what %s session(s) of other users do is hidden', pg_catalog.count(*)),
       pg_catalog.format('GRANT pg_read_all_stats TO %I;', CURRENT_USER), NULL, 0, NULL
FROM session AS s
WHERE s.query = '<insufficient privilege>'
HAVING pg_catalog.count(*) > 0
