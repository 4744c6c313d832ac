-- id: long_running
-- title: Statement that runs for long
-- family: sessions
-- severity: info
-- versions: 13-
-- threshold: min_seconds 60 | it has run at least so long
-- threshold: warn_seconds 600 | a warning from so long on
--
-- Statements of this database that run for long at this moment, with what they wait for, and whether they
-- hold back vacuum: rows that died since such a statement began stay in all tables until it ends.
--
-- Left out are what maintains (VACUUM, ANALYZE, CREATE INDEX, REINDEX, CLUSTER, REFRESH, COPY, as pg_dump
-- does), what only waits for a lock (see blocked_sessions) and pgmend's own sessions. Literals are blanked.
WITH
session AS MATERIALIZED (
	SELECT a.pid, a.usename, a.application_name, a.client_addr, a.wait_event_type, a.wait_event,
	       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.query_start) AS seconds,
	       pg_catalog.age(a.backend_xmin) AS xmin_age,
	       a.state, a.query
	FROM pg_catalog.pg_stat_activity AS a
	WHERE a.datname = pg_catalog.current_database()
	AND a.pid <> pg_catalog.pg_backend_pid()
	AND a.application_name <> 'pgmend'
	AND COALESCE(a.backend_type, 'client backend') = 'client backend'
),
running AS (
	SELECT s.*, :masked_query AS text
	FROM session AS s
	WHERE s.state = 'active'
	AND s.seconds >= :min_seconds::pg_catalog.float8
	AND s.wait_event_type IS DISTINCT FROM 'Lock'
	AND s.query !~* ('^(\s|/\*([^*]|\*[^/])*\*/|--[^\n]*\n)*(vacuum|analyze|create|reindex|cluster'
		'|refresh|copy|start_replication|base_backup)\M')
)
SELECT NULL AS schema,
       pg_catalog.format('process %s', r.pid) AS object,
       CASE WHEN r.seconds >= :warn_seconds::pg_catalog.float8 THEN 'warning' ELSE 'info' END AS severity,
       pg_catalog.format('Runs for %s as %I%s, %s%s. %s',
		pg_catalog.make_interval(secs =>
			pg_catalog.round(r.seconds::pg_catalog.numeric)::pg_catalog.float8),
		r.usename,
		CASE WHEN r.application_name <> '' THEN pg_catalog.format(' (%s)', r.application_name)
		ELSE '' END,
		COALESCE(pg_catalog.format('waits for %s %s', r.wait_event_type, r.wait_event), 'computes'),
		CASE WHEN r.xmin_age > 0 THEN pg_catalog.format(
			'; vacuum keeps what died in the last %s transactions', r.xmin_age) ELSE '' END,
		r.text) AS detail,
       pg_catalog.format('SELECT pg_cancel_backend(%s);', r.pid) AS remedy,
       pg_catalog.format('long_running:%I:%s', r.usename, r.application_name) AS ignore_key,
       r.seconds AS impact,
       pg_catalog.jsonb_build_object(
		'pid', r.pid,
		'seconds', pg_catalog.round(r.seconds::pg_catalog.numeric, 1),
		'user', r.usename,
		'application', r.application_name,
		'client', r.client_addr,
		'wait_event_type', r.wait_event_type,
		'wait_event', r.wait_event,
		'xmin_age', r.xmin_age,
		'text', r.text
       ) AS evidence
FROM running AS r
UNION ALL
SELECT NULL, NULL, 'unknown',
       pg_catalog.format('what %s session(s) of other users do is hidden', pg_catalog.count(*)),
       pg_catalog.format('GRANT pg_read_all_stats TO %I;', CURRENT_USER), NULL, 0, NULL
FROM session AS s
WHERE s.query = '<insufficient privilege>'
HAVING pg_catalog.count(*) > 0
