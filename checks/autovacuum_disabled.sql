-- id: autovacuum_disabled
-- title: Autovacuum switched off
-- family: tables
-- severity: warning
-- versions: 13-
-- threshold: min_rows 10000 | a smaller table that is switched off is only worth an info
--
-- Without autovacuum dead rows pile up, planner statistics go stale, and index-only scans slow down. It is
-- often switched off for a bulk load and forgotten. Freezing against wraparound goes on in either case, in
-- one long run at the worst time.
WITH
tab AS (
	SELECT c.oid AS relid, n.nspname, c.relname, c.relkind,
	       GREATEST(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::pg_catalog.float8 AS rows,
	       pg_catalog.pg_stat_get_dead_tuples(c.oid) AS dead
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'm')
	AND c.reloptions IS NOT NULL
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND EXISTS (
		SELECT
		FROM pg_catalog.unnest(c.reloptions) AS o
		WHERE o ~* '^autovacuum_enabled=(f|n|of|0)')
)
SELECT t.nspname AS schema,
       pg_catalog.format('%I.%I', t.nspname, t.relname) AS object,
       CASE WHEN t.rows >= :min_rows::pg_catalog.float8 THEN 'warning' ELSE 'info' END AS severity,
       pg_catalog.format('autovacuum_enabled is off for this table: about %s rows, and %s dead ones.',
		pg_catalog.to_char(t.rows, 'FM999,999,999,999,990'),
		pg_catalog.to_char(t.dead, 'FM999,999,999,999,990')) AS detail,
       alter_table.up AS remedy,
       pg_catalog.format('autovacuum_disabled:%I.%I', t.nspname, t.relname) AS ignore_key,
       t.rows + t.dead AS impact,
       pg_catalog.jsonb_build_object('rows', pg_catalog.round(t.rows), 'dead_rows', t.dead) AS evidence,
       CASE WHEN t.relkind = 'r' THEN 'sql' END AS change_kind,
       t.relname AS change_relation,
       'SHARE UPDATE EXCLUSIVE' AS change_lock,
       alter_table.up AS sql_up,
       pg_catalog.format(E'ALTER TABLE %I.%I SET (autovacuum_enabled = false);\n', t.nspname, t.relname)
		AS sql_down
FROM tab AS t
CROSS JOIN LATERAL (
	SELECT pg_catalog.format(E'ALTER %s %I.%I RESET (autovacuum_enabled);\n',
		CASE t.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, t.nspname, t.relname) AS up
) AS alter_table
UNION ALL
SELECT NULL, 'autovacuum', 'critical',
       pg_catalog.format('%s is off: no table of this server is vacuumed or analyzed by itself.', s.name),
       pg_catalog.format('ALTER SYSTEM SET %s = on; SELECT pg_reload_conf();', s.name),
       'autovacuum_disabled:' || s.name, 'Infinity'::pg_catalog.float8,
       pg_catalog.jsonb_build_object('setting', s.name), NULL, NULL, NULL, NULL, NULL
FROM pg_catalog.pg_settings AS s
WHERE s.name IN ('autovacuum', 'track_counts') AND s.setting = 'off'
