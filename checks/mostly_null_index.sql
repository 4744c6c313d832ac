-- id: mostly_null_index
-- title: Index full of NULLs
-- family: indexes
-- severity: info
-- versions: 13-
-- threshold: min_rows 100000 | a smaller table is not looked at
-- threshold: min_null_share 0.8 | least share of NULLs in the first column
-- threshold: min_bytes 1048576 | a smaller index is not reported
--
-- A B-tree has an entry for each row, NULL or not. Where the first column is NULL in nearly all rows, an
-- index WHERE column IS NOT NULL answers every comparison with a value as well, is a fraction of the size,
-- and is not written for rows without one.
--
-- What looks for IS NULL, or wants all rows in order of the column, needs the whole index. A unique index,
-- one of a constraint and one of a partitioned table are left out. Where the index also serves a foreign key
-- of that one column, the partial one serves it too.
WITH
idx AS MATERIALIZED (
	SELECT i.indexrelid, i.indrelid, i.indnatts, i.indnkeyatts, i.indkey, n.nspname, t.relname,
	       ic.relname AS index_name, a.attname, a.attnum, t.reltuples::pg_catalog.float8 AS rows,
	       ic.relpages * pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes,
	       pg_catalog.pg_stat_get_numscans(i.indexrelid) AS scans
	FROM pg_catalog.pg_index AS i
	JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
	JOIN pg_catalog.pg_am AS am ON am.oid = ic.relam
	JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
	JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = i.indkey[0] AND a.attnum > 0
	WHERE i.indisvalid AND i.indisready AND i.indislive
	AND NOT i.indisunique AND NOT i.indisexclusion AND NOT i.indisreplident
	AND i.indpred IS NULL
	AND ic.relkind = 'i'
	AND NOT ic.relispartition
	AND am.amname = 'btree'
	AND t.relkind IN ('r', 'm')
	AND t.relpersistence <> 't'
	AND t.reltuples >= :min_rows::pg_catalog.float8
	AND ic.relpages * pg_catalog.current_setting('block_size')::pg_catalog.float8
		>= :min_bytes::pg_catalog.float8
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	-- a foreign key of several columns needs them all
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_constraint AS c
		WHERE c.contype = 'f' AND c.conrelid = t.oid AND pg_catalog.cardinality(c.conkey) > 1
		AND i.indkey[0] = ANY (c.conkey))
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_depend AS d
		WHERE d.classid = 1259 AND d.objid = i.indexrelid AND d.deptype = 'e')
),
figure AS (
	SELECT i.*, s.null_frac
	FROM idx AS i
	-- OFFSET: looked up one by one, never all of them joined
	CROSS JOIN LATERAL (
		SELECT v.null_frac
		FROM pg_catalog.pg_stats AS v
		WHERE v.schemaname = i.nspname AND v.tablename = i.relname AND v.attname = i.attname
		AND NOT v.inherited
		OFFSET 0
	) AS s
	WHERE s.null_frac >= :min_null_share::pg_catalog.float8
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.index_name) AS object,
       'info' AS severity,
       pg_catalog.format('%s %% of about %s rows of %I.%I have no %I, yet each has an entry in this index'
	' (%s).',
		pg_catalog.round((f.null_frac * 100)::pg_catalog.numeric, 1),
		pg_catalog.to_char(f.rows, 'FM999,999,999,999,990'), f.nspname, f.relname, f.attname,
		pg_catalog.pg_size_pretty(f.bytes::pg_catalog.int8)) AS detail,
       CASE WHEN f.null_frac >= 1 AND f.scans = 0 THEN
		pg_catalog.format('DROP INDEX CONCURRENTLY %I.%I;', f.nspname, f.index_name)
       WHEN f.indnatts = 1 THEN pg_catalog.format(
		E'-- unless statements look for %I IS NULL, or sort all rows by it:\n'
		'CREATE INDEX CONCURRENTLY ON %I.%I (%I) WHERE %I IS NOT NULL;\n'
		'DROP INDEX CONCURRENTLY %I.%I;',
		f.attname, f.nspname, f.relname, f.attname, f.attname, f.nspname, f.index_name)
       ELSE pg_catalog.format('Make it again WHERE %I IS NOT NULL, unless statements look for %I IS NULL, or'
		' sort'
		' all rows by it.', f.attname, f.attname) END AS remedy,
       pg_catalog.format('mostly_null_index:%I.%I', f.nspname, f.index_name) AS ignore_key,
       f.bytes * f.null_frac AS impact,
       pg_catalog.jsonb_build_object(
		'table', pg_catalog.format('%I.%I', f.nspname, f.relname),
		'column', f.attname,
		'null_frequency', f.null_frac,
		'rows', f.rows,
		'scans', f.scans,
		'size_bytes', f.bytes::pg_catalog.int8,
		'figures_from', 'pg_stats of the last ANALYZE'
       ) AS evidence
FROM figure AS f
UNION ALL
SELECT NULL, NULL, 'unknown',
       pg_catalog.format('the columns of %s index(es) may not be read, so their statistics are hidden',
		pg_catalog.count(*)),
       pg_catalog.format(CASE WHEN EXISTS (
			SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'pg_read_all_data')
		THEN 'GRANT pg_read_all_data TO %I;' ELSE 'GRANT SELECT ON ALL TABLES IN SCHEMA ... TO %I;'
			END,
		CURRENT_USER),
       NULL, 0, NULL
FROM idx AS i
WHERE NOT pg_catalog.has_column_privilege(i.indrelid, i.attnum, 'SELECT')
HAVING pg_catalog.count(*) > 0
