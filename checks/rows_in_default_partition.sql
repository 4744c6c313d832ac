-- id: rows_in_default_partition
-- title: Rows in a DEFAULT partition
-- family: tables
-- severity: warning
-- versions: 13-
-- threshold: min_rows 1 | fewer rows are not reported
--
-- A DEFAULT partition takes the rows that fit no other. With RANGE partitions they mean that a partition is
-- missing: they are not removed with their period, and each partition that is added must first read the whole
-- DEFAULT partition under a lock, and fails when a row in it would belong to the new one.
--
-- With LIST partitions a DEFAULT is often meant as "all others": only worth an info.
WITH RECURSIVE
tab AS (
	SELECT c.oid AS relid, n.nspname, c.relname, p.partstrat, p.partdefid
	FROM pg_catalog.pg_partitioned_table AS p
	JOIN pg_catalog.pg_class AS c ON c.oid = p.partrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	WHERE p.partdefid <> 0
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
),
tree AS (
	SELECT t.relid AS root, t.partdefid AS relid
	FROM tab AS t
	UNION ALL
	SELECT t.root, i.inhrelid
	FROM tree AS t
	JOIN pg_catalog.pg_class AS p ON p.oid = t.relid AND p.relkind = 'p'
	JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.relid
),
figure AS (
	SELECT t.root, pg_catalog.sum(GREATEST(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)
			::pg_catalog.float8) AS rows,
	       pg_catalog.sum(c.relpages) * pg_catalog.current_setting('block_size')::pg_catalog.float8
			AS bytes
	FROM tree AS t
	JOIN pg_catalog.pg_class AS c ON c.oid = t.relid AND c.relkind <> 'p'
	GROUP BY t.root
)
SELECT t.nspname AS schema,
       pg_catalog.format('%I.%I', dn.nspname, d.relname) AS object,
       CASE WHEN t.partstrat = 'r' THEN 'warning' ELSE 'info' END AS severity,
       pg_catalog.format('About %s rows (%s) of %I.%I are in its DEFAULT partition.',
		pg_catalog.to_char(f.rows, 'FM999,999,999,999,990'),
		pg_catalog.pg_size_pretty(f.bytes::pg_catalog.int8), t.nspname, t.relname) AS detail,
       'Create the partition that they belong to as a table, move them there in one transaction (DELETE ...'
		' RETURNING'
	' into INSERT), then ATTACH it.' AS remedy,
       pg_catalog.format('rows_in_default_partition:%I.%I', t.nspname, t.relname) AS ignore_key,
       f.rows AS impact,
       pg_catalog.jsonb_build_object(
		'table', pg_catalog.format('%I.%I', t.nspname, t.relname),
		'partitioned_by', CASE t.partstrat WHEN 'r' THEN 'range' ELSE 'list' END,
		'rows', pg_catalog.round(f.rows),
		'size_bytes', f.bytes::pg_catalog.int8
       ) AS evidence
FROM tab AS t
JOIN figure AS f ON f.root = t.relid
JOIN pg_catalog.pg_class AS d ON d.oid = t.partdefid
JOIN pg_catalog.pg_namespace AS dn ON dn.oid = d.relnamespace
WHERE f.rows >= :min_rows::pg_catalog.float8
