-- id: toast_weight
-- title: Most of a table is TOAST
-- family: tables
-- severity: info
-- versions: 13-
-- threshold: min_bytes 1073741824 | smaller TOAST is not reported
-- threshold: min_share 0.8 | least share of the table that is TOAST
--
-- Values that do not fit into a row are cut up and stored in the table's TOAST table. Whoever reads such a
-- column, as SELECT * does, fetches and unpacks each value; whoever changes it writes all of it anew.
--
-- Documents and files often belong there. Worth a look are statements that fetch such columns without need, a
-- better compression (lz4, since PostgreSQL 14), or a place outside of the database.
WITH
tab AS (
	SELECT c.oid AS relid, n.nspname, c.relname, c.reltuples::pg_catalog.float8 AS rows,
	       c.relpages * b.bytes AS heap_bytes, t.relpages * b.bytes AS toast_bytes,
	       pg_catalog.pg_stat_get_blocks_fetched(t.oid) AS fetched
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	JOIN pg_catalog.pg_class AS t ON t.oid = c.reltoastrelid
	CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes) AS b
	WHERE c.relkind IN ('r', 'm')
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND t.relpages * b.bytes >= :min_bytes::pg_catalog.float8
	AND t.relpages > 0
),
figure AS (
	SELECT t.*, t.toast_bytes / (t.toast_bytes + t.heap_bytes) AS share,
	       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
		FROM pg_catalog.pg_attribute AS a
		WHERE a.attrelid = t.relid AND a.attnum > 0 AND NOT a.attisdropped
		AND a.attlen = -1 AND a.attstorage IN ('x', 'e')) AS columns
	FROM tab AS t
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.relname) AS object,
       'info' AS severity,
       pg_catalog.format('%s of this table''s %s are TOAST (%s %%), of the columns %s; %s blocks of it were'
		' read.',
		pg_catalog.pg_size_pretty(f.toast_bytes::pg_catalog.int8),
		pg_catalog.pg_size_pretty((f.toast_bytes + f.heap_bytes)::pg_catalog.int8),
		pg_catalog.round((f.share * 100)::pg_catalog.numeric), COALESCE(f.columns, '(dropped)'),
		pg_catalog.to_char(f.fetched, 'FM999,999,999,999,990')) AS detail,
       'Let statements name the columns that they need. default_toast_compression = lz4 packs new values'
		' faster.'
		AS remedy,
       pg_catalog.format('toast_weight:%I.%I', f.nspname, f.relname) AS ignore_key,
       f.toast_bytes AS impact,
       pg_catalog.jsonb_build_object(
		'toast_bytes', f.toast_bytes::pg_catalog.int8,
		'heap_bytes', f.heap_bytes::pg_catalog.int8,
		'toast_share', pg_catalog.round(f.share::pg_catalog.numeric, 3),
		'toast_blocks_read', f.fetched,
		'size_from', 'relpages, of the last VACUUM or ANALYZE'
       ) AS evidence
FROM figure AS f
WHERE f.share >= :min_share::pg_catalog.float8
