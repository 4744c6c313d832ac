-- id: dead_rows
-- title: Dead rows that vacuum leaves
-- family: tables
-- severity: warning
-- versions: 13-
-- needs: primary
-- threshold: min_dead 10000 | fewer dead rows are not reported
-- threshold: due_factor 2 | so many times as many as make autovacuum start on the table
-- threshold: wait_minutes 60 | and so long ago was it last vacuumed
-- threshold: critical_dead 10000000 | critical from so many on, where they outnumber the live ones
-- threshold: min_held 1000 | transactions that an old snapshot must be behind to be named as the cause
--
-- Rows that were updated or deleted stay until VACUUM removes them. Scans read them, indexes point to them,
-- and the table grows. autovacuum starts when there are as many as its settings, or the table's, say; a few
-- more are normal.
--
-- Reported are tables with many more than that which were not vacuumed for long, and those that were vacuumed
-- while something old still needed the rows. The cause is said as far as it can be seen: autovacuum off, all
-- of its workers busy, or the session, slot, prepared transaction or standby with the oldest snapshot. Tables
-- that are being vacuumed now are left out.
WITH
setting AS MATERIALIZED (
	SELECT pg_catalog.date_part('epoch', pg_catalog.now() - COALESCE(
			pg_catalog.pg_stat_get_db_stat_reset_time(d.oid),
			pg_catalog.pg_postmaster_start_time())) / 60 AS stats_minutes,
	       pg_catalog.current_setting('autovacuum_vacuum_threshold')::pg_catalog.float8 AS base,
	       pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::pg_catalog.float8 AS scale,
	       -- 18: no table needs more; -1: no such limit
	       COALESCE(NULLIF(pg_catalog.current_setting('autovacuum_vacuum_max_threshold', true), '-1')
			::pg_catalog.float8, 'Infinity') AS most,
	       pg_catalog.current_setting('autovacuum')::pg_catalog.bool AS enabled,
	       pg_catalog.current_setting('track_counts')::pg_catalog.bool AS counted,
	       pg_catalog.current_setting('autovacuum_max_workers')::pg_catalog.int8 AS workers
	FROM pg_catalog.pg_database AS d
	WHERE d.datname = pg_catalog.current_database()
),
busy AS MATERIALIZED (
	SELECT pg_catalog.count(*) AS workers
	FROM pg_catalog.pg_stat_activity AS a
	WHERE a.backend_type = 'autovacuum worker'
),
holder AS MATERIALIZED (
	SELECT h.who, h.age
	FROM (
		SELECT pg_catalog.format('session %s of %s (%s%s)', a.pid, a.usename, a.state,
				CASE WHEN a.xact_start IS NULL THEN ''
				ELSE pg_catalog.format(', in a transaction for %s',
					pg_catalog.date_trunc('second',
					pg_catalog.now() - a.xact_start)) END) AS who,
		       GREATEST(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid)) AS age
		FROM pg_catalog.pg_stat_activity AS a
		WHERE a.pid <> pg_catalog.pg_backend_pid()
		AND a.backend_type = 'client backend'
		AND (a.datname = pg_catalog.current_database() OR a.datname IS NULL)
		UNION ALL
		SELECT pg_catalog.format('replication slot %I', s.slot_name), pg_catalog.age(s.xmin)
		FROM pg_catalog.pg_replication_slots AS s
		UNION ALL
		SELECT pg_catalog.format('prepared transaction %L of %s', p.gid, p.prepared),
		       pg_catalog.age(p.transaction)
		FROM pg_catalog.pg_prepared_xacts AS p
		WHERE p.database = pg_catalog.current_database()
		UNION ALL
		SELECT pg_catalog.format('the standby %s (hot_standby_feedback)', r.application_name),
		       pg_catalog.age(r.backend_xmin)
		FROM pg_catalog.pg_stat_replication AS r
	) AS h
	WHERE h.age >= :min_held::pg_catalog.float8
	ORDER BY h.age DESC
	LIMIT 1
),
tab AS MATERIALIZED (
	SELECT c.oid AS relid, n.nspname, c.relname,
	       pg_catalog.pg_stat_get_live_tuples(c.oid)::pg_catalog.float8 AS live,
	       pg_catalog.pg_stat_get_dead_tuples(c.oid)::pg_catalog.float8 AS dead,
	       GREATEST(pg_catalog.pg_stat_get_last_vacuum_time(c.oid),
			pg_catalog.pg_stat_get_last_autovacuum_time(c.oid)) AS last,
	       LEAST(s.most, COALESCE((
			SELECT pg_catalog.split_part(o, '=', 2)::pg_catalog.float8
			FROM pg_catalog.unnest(c.reloptions) AS o
			WHERE o LIKE 'autovacuum_vacuum_threshold=%'), s.base)
	       + COALESCE((
			SELECT pg_catalog.split_part(o, '=', 2)::pg_catalog.float8
			FROM pg_catalog.unnest(c.reloptions) AS o
			WHERE o LIKE 'autovacuum_vacuum_scale_factor=%'), s.scale)
		 * GREATEST(c.reltuples, 0)::pg_catalog.float8) AS due,
	       EXISTS (
			SELECT
			FROM pg_catalog.unnest(c.reloptions) AS o
			WHERE o ~* '^autovacuum_enabled=(f|n|of|0)') AS disabled
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	CROSS JOIN setting AS s
	WHERE c.relkind IN ('r', 'm')
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND pg_catalog.pg_stat_get_dead_tuples(c.oid)::pg_catalog.float8 >= :min_dead::pg_catalog.float8
),
figure AS (
	SELECT t.*, h.who, h.age AS held, s.stats_minutes,
	       CASE
		WHEN NOT s.enabled OR NOT s.counted THEN 'autovacuum is switched off.'
		WHEN t.disabled THEN 'autovacuum is switched off for this table.'
		WHEN h.who IS NOT NULL THEN pg_catalog.format('Nothing can remove what %s may still see,'
			' which is %s'
			' transactions behind.', h.who, pg_catalog.to_char(h.age, 'FM999,999,999,990'))
		WHEN b.workers >= s.workers THEN pg_catalog.format('All %s autovacuum workers are busy.',
			s.workers)
		ELSE 'Why autovacuum does not come is not to be seen from here: it may be slowed by its cost'
			' limit, or'
			' interrupted by locks.'
	       END AS cause
	FROM tab AS t
	CROSS JOIN setting AS s
	CROSS JOIN busy AS b
	LEFT JOIN holder AS h ON true
	WHERE t.dead >= t.due * :due_factor::pg_catalog.float8
	AND (
		COALESCE(t.last < pg_catalog.now()
				- :wait_minutes::pg_catalog.float8 * '1 min'::pg_catalog.interval,
			s.stats_minutes >= :wait_minutes::pg_catalog.float8)
		OR (h.who IS NOT NULL AND t.last IS NOT NULL)
	)
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum AS p WHERE p.relid = t.relid)
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.relname) AS object,
       CASE WHEN f.dead >= :critical_dead::pg_catalog.float8 AND f.dead >= f.live THEN 'critical'
       ELSE 'warning' END AS severity,
       pg_catalog.format('%s dead rows beside %s live ones; autovacuum is due from %s on. %s %s',
		pg_catalog.to_char(f.dead, 'FM999,999,999,999,990'),
		pg_catalog.to_char(f.live, 'FM999,999,999,999,990'),
		pg_catalog.to_char(f.due, 'FM999,999,999,999,990'),
		CASE WHEN f.last IS NULL THEN pg_catalog.format('Not vacuumed in the %s hours of statistics.',
			pg_catalog.round((f.stats_minutes / 60)::pg_catalog.numeric, 1))
		ELSE pg_catalog.to_char(f.last, '"Last vacuumed "YYYY-MM-DD HH24:MI"."') END,
		f.cause) AS detail,
       CASE WHEN f.who IS NOT NULL THEN pg_catalog.format(E'-- first end %s, then:\n', f.who) ELSE '' END
       || pg_catalog.format('VACUUM (ANALYZE) %I.%I;', f.nspname, f.relname) AS remedy,
       pg_catalog.format('dead_rows:%I.%I', f.nspname, f.relname) AS ignore_key,
       f.dead AS impact,
       pg_catalog.jsonb_build_object(
		'dead_rows', f.dead,
		'live_rows', f.live,
		'vacuum_due_at', pg_catalog.round(f.due),
		'last_vacuum', f.last,
		'autovacuum_disabled', f.disabled,
		'held_by', f.who,
		'held_transactions', f.held
       ) AS evidence
FROM figure AS f
UNION ALL
SELECT NULL, NULL, 'unknown',
       CASE WHEN NOT s.counted THEN 'track_counts is off: nothing is counted'
       ELSE pg_catalog.format('statistics are only %s minutes old: %s table(s) with dead rows may be'
		' vacuumed in'
		' time', pg_catalog.round(s.stats_minutes::pg_catalog.numeric), w.waiting) END,
       CASE WHEN NOT s.counted THEN 'ALTER SYSTEM SET track_counts = on;' ELSE 'Run it again later.' END,
       NULL, 0, NULL
FROM setting AS s
CROSS JOIN (
	SELECT pg_catalog.count(*) AS waiting
	FROM tab AS t
	WHERE t.last IS NULL AND t.dead >= t.due * :due_factor::pg_catalog.float8
) AS w
WHERE NOT s.counted
OR (w.waiting > 0 AND s.stats_minutes < :wait_minutes::pg_catalog.float8)
