-- id: blocked_sessions
-- title: Sessions that wait for another one
-- family: sessions
-- severity: warning
-- versions: 13-
-- threshold: min_seconds 5 | one of them waits at least so long
-- threshold: critical_seconds 30 | critical from so long on...
-- threshold: critical_sessions 3 | ...where at least so many wait
-- threshold: max_waiting 200 | at most so many waiting sessions are looked at
-- probe: waitstart pg_locks.waitstart ? l.waitstart : NULL::pg_catalog.timestamptz
--
-- Sessions of this database that wait for a lock, by the session at the root of their queue: the one that
-- waits for no other. Mend the root and all of them go on. Each line of the tree names who waits, for how
-- long, and for what.
--
-- Who blocks whom is what the server says (pg_blocking_pids), asked only of sessions that wait for a lock.
WITH RECURSIVE
session AS MATERIALIZED (
	SELECT a.pid, a.datname, a.usename, a.application_name, a.state, a.wait_event_type, a.backend_type,
	       a.query_start, a.xact_start, a.state_change, a.query
	FROM pg_catalog.pg_stat_activity AS a
),
waiter AS MATERIALIZED (
	SELECT s.pid, s.query_start
	FROM session AS s
	WHERE s.wait_event_type = 'Lock'
	AND s.datname = pg_catalog.current_database()
	AND s.pid <> pg_catalog.pg_backend_pid()
	ORDER BY s.query_start
	LIMIT :max_waiting::pg_catalog.int8
),
edge AS MATERIALIZED (
	SELECT DISTINCT w.pid, p.pid AS blocker
	FROM waiter AS w
	CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS p (pid)
),
wanted AS MATERIALIZED (
	SELECT DISTINCT ON (w.pid) w.pid,
	       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
			- COALESCE(:waitstart, w.query_start)) AS seconds,
	       l.mode,
	       CASE WHEN c.oid IS NOT NULL THEN pg_catalog.format('%I.%I', n.nspname, c.relname)
	       ELSE l.locktype END AS what
	FROM waiter AS w
	LEFT JOIN pg_catalog.pg_locks AS l ON l.pid = w.pid AND NOT l.granted
	LEFT JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
	LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	ORDER BY w.pid, c.oid
),
tree AS (
	SELECT DISTINCT e.blocker AS root, e.blocker AS pid, ARRAY[e.blocker] AS path
	FROM edge AS e
	WHERE NOT EXISTS (SELECT FROM edge AS above WHERE above.pid = e.blocker)
	UNION ALL
	SELECT t.root, e.pid, t.path || e.pid
	FROM tree AS t
	JOIN edge AS e ON e.blocker = t.pid
	-- a queue holds each of its members up behind all before it: the shortest way in is enough
	WHERE NOT e.pid = ANY (t.path)
	AND pg_catalog.cardinality(t.path) < 8
),
place AS MATERIALIZED (
	SELECT DISTINCT ON (t.root, t.pid) t.root, t.pid, t.path
	FROM tree AS t
	WHERE t.pid <> t.root
	ORDER BY t.root, t.pid, pg_catalog.cardinality(t.path), t.path
),
queue AS (
	SELECT p.root, pg_catalog.count(*) AS sessions, pg_catalog.max(w.seconds) AS seconds,
	       pg_catalog.string_agg(pg_catalog.format('%s%s waits %s s for %s on %s',
			pg_catalog.repeat('  ', pg_catalog.cardinality(p.path) - 2), p.pid,
			pg_catalog.round(w.seconds::pg_catalog.numeric), COALESCE(w.mode, 'a lock'),
			COALESCE(w.what, 'something')), E'\n' ORDER BY p.path)
		FILTER (WHERE p.place <= 20) AS tree,
	       pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('pid', p.pid, 'path', p.path,
			'seconds', pg_catalog.round(w.seconds::pg_catalog.numeric, 1), 'mode', w.mode,
			'what', w.what) ORDER BY p.path) AS waiters
	FROM (SELECT p.*, pg_catalog.row_number() OVER (PARTITION BY p.root ORDER BY p.path) AS place
	      FROM place AS p) AS p
	JOIN wanted AS w ON w.pid = p.pid
	GROUP BY p.root
),
root AS (
	SELECT q.*, s.usename, s.application_name, s.state, s.backend_type,
	       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - s.xact_start)
		AS transaction_seconds,
	       :masked_query AS text
	FROM queue AS q
	LEFT JOIN session AS s ON s.pid = q.root
)
SELECT NULL AS schema,
       CASE WHEN r.root = 0 THEN 'a prepared transaction' ELSE pg_catalog.format('process %s', r.root) END
	AS object,
       CASE WHEN r.seconds >= :critical_seconds::pg_catalog.float8
		AND r.sessions >= :critical_sessions::pg_catalog.float8 THEN 'critical'
       ELSE 'warning' END AS severity,
       CASE WHEN r.root = 0 THEN pg_catalog.format('%s session(s) wait for a prepared transaction, %s s'
	' at most.',
		r.sessions, pg_catalog.round(r.seconds::pg_catalog.numeric))
       ELSE pg_catalog.format('%s session(s) wait for it, %s s at most: %s of %I%s, %s, in a transaction'
	' of %s s.'
		' %s',
		r.sessions, pg_catalog.round(r.seconds::pg_catalog.numeric), COALESCE(r.backend_type,
			'a session'),
		COALESCE(r.usename, 'the server'),
		CASE WHEN r.application_name <> '' THEN pg_catalog.format(' (%s)', r.application_name)
		ELSE '' END, COALESCE(r.state, 'state unknown'),
		COALESCE(pg_catalog.round(r.transaction_seconds::pg_catalog.numeric), 0), r.text)
       END || E'\n' || r.tree || '.' AS detail,
       CASE WHEN r.root = 0 THEN 'SELECT gid, prepared, owner FROM pg_prepared_xacts ORDER BY prepared;'
		' then COMMIT PREPARED or ROLLBACK PREPARED it'
       WHEN r.backend_type <> 'client backend' THEN 'It ends by itself, or with what it serves.'
       WHEN r.state = 'active' THEN pg_catalog.format('SELECT pg_cancel_backend(%s);', r.root)
       ELSE pg_catalog.format('SELECT pg_terminate_backend(%s);', r.root) END AS remedy,
       pg_catalog.format('blocked_sessions:%I:%s', COALESCE(r.usename, '-'), COALESCE(r.application_name, ''))
		AS ignore_key,
       r.sessions * r.seconds AS impact,
       pg_catalog.jsonb_build_object(
		'pid', r.root,
		'user', r.usename,
		'application', r.application_name,
		'state', r.state,
		'backend_type', r.backend_type,
		'waiting_sessions', r.sessions,
		'seconds', pg_catalog.round(r.seconds::pg_catalog.numeric, 1),
		'waiters', r.waiters,
		'text', r.text
       ) AS evidence
FROM root AS r
WHERE r.seconds >= :min_seconds::pg_catalog.float8
UNION ALL
SELECT NULL, NULL, 'unknown',
       pg_catalog.format('what %s session(s) of other users do is hidden', pg_catalog.count(*)),
       pg_catalog.format('GRANT pg_read_all_stats TO %I;', CURRENT_USER), NULL, 0, NULL
FROM session AS s
WHERE s.query = '<insufficient privilege>'
AND s.datname = pg_catalog.current_database()
HAVING pg_catalog.count(*) > 0
