-- id: stale_statistics
-- title: Stale planner statistics
-- family: tables
-- severity: warning
-- versions: 13-
-- needs: primary
-- threshold: min_rows 10000 | a smaller table is not reported
-- threshold: due_factor 2 | so many times as many changed rows as make autovacuum analyze it
-- threshold: wait_minutes 60 | and so long ago was it last analyzed
--
-- The planner chooses by what ANALYZE found. Where most rows have changed since, or it never ran, it takes
-- large for small and picks plans that are slower by orders of magnitude.
--
-- autovacuum analyzes a table when enough rows have changed. Reported is where it does not: tables past their
-- own threshold (with the table's storage parameters) by far, and large ones that were never analyzed. It
-- never analyzes partitioned tables themselves, only their partitions: joins and estimates over the whole
-- lack statistics until someone does. Counters are lost with a crash or a reset: who has no time of a last
-- ANALYZE is reported when the catalog shows that there was none.
WITH RECURSIVE
setting AS MATERIALIZED (
	SELECT pg_catalog.date_part('epoch', pg_catalog.now() - COALESCE(
			pg_catalog.pg_stat_get_db_stat_reset_time(d.oid),
			pg_catalog.pg_postmaster_start_time())) / 60 AS stats_minutes,
	       pg_catalog.current_setting('autovacuum_analyze_threshold')::pg_catalog.float8 AS base,
	       pg_catalog.current_setting('autovacuum_analyze_scale_factor')::pg_catalog.float8 AS scale,
	       pg_catalog.current_setting('track_counts') AS counted,
	       pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version
	FROM pg_catalog.pg_database AS d
	WHERE d.datname = pg_catalog.current_database()
),
-- without partitions
tab AS MATERIALIZED (
	SELECT c.oid AS relid, n.nspname, c.relname, c.relkind, c.reltuples::pg_catalog.float8
		AS analyzed_rows,
	       c.relpages, c.relispartition,
	       GREATEST(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::pg_catalog.float8 AS rows,
	       pg_catalog.pg_stat_get_mod_since_analyze(c.oid)::pg_catalog.float8 AS changed,
	       GREATEST(pg_catalog.pg_stat_get_last_analyze_time(c.oid),
			pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid)) AS last,
	       COALESCE((
			SELECT pg_catalog.split_part(o, '=', 2)::pg_catalog.float8
			FROM pg_catalog.unnest(c.reloptions) AS o
			WHERE o LIKE 'autovacuum_analyze_threshold=%'), s.base)
	       + COALESCE((
			SELECT pg_catalog.split_part(o, '=', 2)::pg_catalog.float8
			FROM pg_catalog.unnest(c.reloptions) AS o
			WHERE o LIKE 'autovacuum_analyze_scale_factor=%'), s.scale)
		 * GREATEST(c.reltuples, 0)::pg_catalog.float8 AS due,
	       EXISTS (
			SELECT
			FROM pg_catalog.unnest(c.reloptions) AS o
			WHERE o ~* '^autovacuum_enabled=(f|n|of|0)') AS disabled
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	CROSS JOIN setting AS s
	WHERE c.relkind IN ('r', 'm', 'p')
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND s.counted = 'on'
),
tree AS (
	SELECT t.relid AS root, t.relid
	FROM tab AS t
	WHERE t.relkind = 'p' AND NOT t.relispartition
	UNION ALL
	SELECT t.root, i.inhrelid
	FROM tree AS t
	JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.relid
),
parent AS (
	SELECT t.root, pg_catalog.sum(m.rows) AS rows, pg_catalog.sum(m.changed) AS changed
	FROM tree AS t
	JOIN tab AS m ON m.relid = t.relid AND m.relkind <> 'p'
	GROUP BY t.root
),
cause AS (
	SELECT t.*, 'changed' AS cause,
	       pg_catalog.format('%s rows were changed since the last ANALYZE%s, of about %s; autovacuum is'
			' due'
		' from %s on.', pg_catalog.to_char(t.changed, 'FM999,999,999,999,990'),
		CASE WHEN t.last IS NULL THEN '' ELSE pg_catalog.to_char(t.last, ' (YYYY-MM-DD HH24:MI)') END,
		pg_catalog.to_char(t.rows, 'FM999,999,999,999,990'),
		pg_catalog.to_char(t.due, 'FM999,999,999,999,990')) AS detail
	FROM tab AS t
	CROSS JOIN setting AS s
	WHERE t.relkind <> 'p'
	AND t.rows >= :min_rows::pg_catalog.float8
	AND t.changed > t.due * :due_factor::pg_catalog.float8
	AND (t.analyzed_rows > 0 OR t.last IS NOT NULL)
	-- not since statistics began, or not for long
	AND COALESCE(t.last < pg_catalog.now() - :wait_minutes::pg_catalog.float8 * '1'
		' min'::pg_catalog.interval,
		s.stats_minutes >= :wait_minutes::pg_catalog.float8)
	UNION ALL
	-- ANALYZE and VACUUM set reltuples: -1 since 14, 0 before it, means neither ran
	SELECT t.*, 'never',
	       pg_catalog.format('This table of about %s rows was never analyzed: the planner guesses.',
		pg_catalog.to_char(t.rows, 'FM999,999,999,999,990'))
	FROM tab AS t
	CROSS JOIN setting AS s
	WHERE t.relkind <> 'p'
	AND t.rows >= :min_rows::pg_catalog.float8
	AND t.last IS NULL
	AND t.analyzed_rows <= 0
	AND s.stats_minutes >= :wait_minutes::pg_catalog.float8
	UNION ALL
	SELECT t.relid, t.nspname, t.relname, t.relkind, t.analyzed_rows, t.relpages, t.relispartition,
		p.rows,
	       p.changed, t.last, t.due, t.disabled, 'partitioned',
	       pg_catalog.format('This partitioned table of about %s rows has no statistics of its own:'
			' autovacuum'
		' analyzes partitions, never the whole, so the planner guesses how many distinct values it'
			' has.',
		pg_catalog.to_char(p.rows, 'FM999,999,999,999,990'))
	FROM parent AS p
	JOIN tab AS t ON t.relid = p.root
	CROSS JOIN setting AS s
	WHERE p.rows >= :min_rows::pg_catalog.float8
	AND t.last IS NULL
	AND t.analyzed_rows <= 0
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_stats AS v
		WHERE v.schemaname = t.nspname AND v.tablename = t.relname AND v.inherited)
	-- before 14 only who may read the columns can tell
	AND (s.version >= 140000 OR pg_catalog.has_table_privilege(t.relid, 'SELECT'))
)
SELECT c.nspname AS schema,
       pg_catalog.format('%I.%I', c.nspname, c.relname) AS object,
       CASE WHEN c.cause = 'partitioned' AND c.rows < 1000000 THEN 'info' ELSE 'warning' END AS severity,
       c.detail || CASE WHEN c.disabled THEN ' autovacuum is switched off for this table.' ELSE '' END
		AS detail,
       CASE WHEN c.cause = 'partitioned' THEN up.sql || ' -- and again after large changes, from cron'
       ELSE up.sql END AS remedy,
       pg_catalog.format('stale_statistics:%I.%I', c.nspname, c.relname) AS ignore_key,
       GREATEST(c.changed, CASE WHEN c.cause = 'changed' THEN 0 ELSE c.rows END) AS impact,
       pg_catalog.jsonb_build_object(
		'cause', c.cause,
		'rows', pg_catalog.round(c.rows),
		'rows_changed', c.changed,
		'analyze_due_at', pg_catalog.round(c.due),
		'last_analyze', c.last,
		'autovacuum_disabled', c.disabled
       ) AS evidence,
       CASE WHEN c.relkind <> 'm' THEN 'sql' END AS change_kind,
       c.relname AS change_relation,
       'SHARE UPDATE EXCLUSIVE' AS change_lock,
       up.sql || E'\n' AS sql_up
FROM cause AS c
CROSS JOIN LATERAL (
	SELECT pg_catalog.format('ANALYZE %I.%I;', c.nspname, c.relname) AS sql
) AS up
UNION ALL
SELECT NULL, NULL, 'unknown',
       CASE WHEN s.counted <> 'on' THEN 'track_counts is off: nothing is counted'
       ELSE pg_catalog.format('statistics are only %s minutes old: what was analyzed before is not known',
		pg_catalog.round(s.stats_minutes::pg_catalog.numeric)) END,
       CASE WHEN s.counted <> 'on' THEN 'ALTER SYSTEM SET track_counts = on;' ELSE 'Run it again later.' END,
       NULL, 0, NULL, NULL, NULL, NULL, NULL
FROM setting AS s
WHERE s.counted <> 'on'
OR (s.stats_minutes < :wait_minutes::pg_catalog.float8
	AND EXISTS (SELECT FROM tab AS t WHERE t.rows >= :min_rows::pg_catalog.float8 AND t.last IS NULL
		AND t.relkind <> 'p'))
