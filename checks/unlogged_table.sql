-- id: unlogged_table
-- title: Unlogged table
-- family: tables
-- severity: info
-- versions: 13-
-- threshold: min_rows 1 | a table with fewer rows is not reported
--
-- What is in an unlogged table is gone after a crash: the server empties it when it starts again. Standbys
-- have the table, but never its rows, nor has a backup of files. It is fast to write for that reason, and
-- right for what can be made again.
WITH
tab AS (
	SELECT c.oid AS relid, n.nspname, c.relname,
	       GREATEST(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::pg_catalog.float8 AS rows,
	       c.relpages * pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes,
	       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication) AS standbys
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	WHERE c.relkind = 'r'
	AND c.relpersistence = 'u'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
)
SELECT t.nspname AS schema,
       pg_catalog.format('%I.%I', t.nspname, t.relname) AS object,
       'info' AS severity,
       pg_catalog.format('Its %s rows (%s) are lost when the server crashes%s.',
		pg_catalog.to_char(t.rows, 'FM999,999,999,999,990'),
			pg_catalog.pg_size_pretty(t.bytes::pg_catalog.int8),
		CASE WHEN t.standbys > 0 THEN ' or a standby takes over' ELSE '' END) AS detail,
       pg_catalog.format(E'-- where the rows matter; it writes the table anew, under a lock:\n'
	'ALTER TABLE %I.%I SET LOGGED;', t.nspname, t.relname) AS remedy,
       pg_catalog.format('unlogged_table:%I.%I', t.nspname, t.relname) AS ignore_key,
       t.rows AS impact,
       pg_catalog.jsonb_build_object('rows', pg_catalog.round(t.rows), 'size_bytes', t.bytes::pg_catalog.int8,
		'replication_clients', t.standbys) AS evidence
FROM tab AS t
WHERE t.rows >= :min_rows::pg_catalog.float8
