-- id: large_unpartitioned
-- title: Large table without partitions
-- family: tables
-- severity: info
-- versions: 13-
-- threshold: min_bytes 10737418240 | a smaller table is not reported
--
-- A table of many gigabytes is vacuumed, rebuilt and restored as one, and old rows leave it only by DELETE.
-- Where rows come in order of time and old ones go, partitions make upkeep small and removal instant. Where
-- every statement reads by a key that is not time, partitions bring little.
WITH
tab AS (
	SELECT c.oid AS relid, n.nspname, c.relname, c.reltuples::pg_catalog.float8 AS rows,
	       (c.relpages + COALESCE(t.relpages, 0))
		* pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes,
	       pg_catalog.pg_stat_get_tuples_inserted(c.oid) AS inserted,
	       pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS deleted
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	LEFT JOIN pg_catalog.pg_class AS t ON t.oid = c.reltoastrelid
	WHERE c.relkind = 'r'
	AND NOT c.relispartition
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
)
SELECT t.nspname AS schema,
       pg_catalog.format('%I.%I', t.nspname, t.relname) AS object,
       'info' AS severity,
       pg_catalog.format('%s in about %s rows, without partitions.',
		pg_catalog.pg_size_pretty(t.bytes::pg_catalog.int8),
		pg_catalog.to_char(GREATEST(t.rows, 0), 'FM999,999,999,999,990'))
       || CASE WHEN t.deleted > 0 THEN pg_catalog.format(' %s rows were deleted and %s inserted since'
		' statistics began.',
		pg_catalog.to_char(t.deleted, 'FM999,999,999,999,990'),
		pg_catalog.to_char(t.inserted, 'FM999,999,999,999,990')) ELSE '' END AS detail,
       'Where rows are removed by age, or nearly all statements name a time: partition it by that column.'
		AS remedy,
       pg_catalog.format('large_unpartitioned:%I.%I', t.nspname, t.relname) AS ignore_key,
       t.bytes AS impact,
       pg_catalog.jsonb_build_object(
		'size_bytes', t.bytes::pg_catalog.int8,
		'size_from', 'relpages, of the last VACUUM or ANALYZE, with TOAST, without indexes',
		'rows', GREATEST(t.rows, 0),
		'rows_inserted', t.inserted,
		'rows_deleted', t.deleted
       ) AS evidence
FROM tab AS t
WHERE t.bytes >= :min_bytes::pg_catalog.float8
