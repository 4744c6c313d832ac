-- id: low_selectivity_index
-- title: Index on a column with few values
-- family: indexes
-- severity: info
-- versions: 13-
-- threshold: min_rows 100000 | a smaller table is not looked at
-- threshold: min_frequency 0.1 | the rarest value is at least so large a share of the rows
--
-- An index helps to find few of many rows. Where a column has a handful of values and each of them fills a
-- large part of the table, no value is found faster through the index than by reading the table, while each
-- write keeps the index up to date.
--
-- Reported are plain B-trees and hash indexes on one column, not unique, of which the statistics list every
-- value with its frequency. One rare value is enough for an index to be worth its while, and is not reported:
-- a partial index on that value would be smaller. An index that serves a foreign key is left out. One that is
-- scanned may serve index-only scans or an order: see what those statements are before you drop it.
WITH
idx AS MATERIALIZED (
	SELECT i.indexrelid, i.indrelid, n.nspname, t.relname, ic.relname AS index_name, a.attname,
	       t.reltuples::pg_catalog.float8 AS rows, a.attnum,
	       ic.relpages * pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes,
	       pg_catalog.pg_stat_get_numscans(i.indexrelid) AS scans
	FROM pg_catalog.pg_index AS i
	JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
	JOIN pg_catalog.pg_am AS am ON am.oid = ic.relam
	JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
	JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = i.indkey[0] AND a.attnum > 0
	WHERE i.indisvalid AND i.indisready AND i.indislive
	AND NOT i.indisunique AND NOT i.indisexclusion
	AND i.indnatts = 1
	AND i.indpred IS NULL
	AND ic.relkind = 'i'
	AND NOT ic.relispartition
	AND am.amname IN ('btree', 'hash')
	AND t.relkind IN ('r', 'm')
	AND t.relpersistence <> 't'
	AND t.reltuples >= :min_rows::pg_catalog.float8
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_constraint AS c
		WHERE c.contype = 'f' AND c.conrelid = t.oid AND c.conkey[1] = i.indkey[0])
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_depend AS d
		WHERE d.classid = 1259 AND d.objid = i.indexrelid AND d.deptype = 'e')
),
figure AS (
	SELECT i.*, s.n_distinct, s.null_frac,
	       (SELECT pg_catalog.min(f) FROM pg_catalog.unnest(s.most_common_freqs) AS f) AS rarest,
	       (SELECT pg_catalog.sum(f) FROM pg_catalog.unnest(s.most_common_freqs) AS f) AS listed
	FROM idx AS i
	-- OFFSET: looked up one by one, never all of them joined
	CROSS JOIN LATERAL (
		SELECT v.n_distinct, v.null_frac, v.most_common_freqs
		FROM pg_catalog.pg_stats AS v
		WHERE v.schemaname = i.nspname AND v.tablename = i.relname AND v.attname = i.attname
		AND NOT v.inherited
		OFFSET 0
	) AS s
	WHERE s.n_distinct >= 1
	AND pg_catalog.cardinality(s.most_common_freqs) >= s.n_distinct
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.index_name) AS object,
       'info' AS severity,
       pg_catalog.format('%I of %I.%I has %s value(s), and the rarest fills %s %% of about %s rows: no value'
		' is'
	' found faster through this index (%s) than by reading the table.',
		f.attname, f.nspname, f.relname, f.n_distinct,
		pg_catalog.round((f.rarest * 100)::pg_catalog.numeric, 1),
		pg_catalog.to_char(f.rows, 'FM999,999,999,999,990'),
		pg_catalog.pg_size_pretty(f.bytes::pg_catalog.int8))
       || CASE WHEN f.scans > 0 THEN pg_catalog.format(' It was scanned %s times: look at which statements'
		' do,'
	' they may read it alone or for its order.', pg_catalog.to_char(f.scans, 'FM999,999,999,999,990'))
	ELSE '' END AS detail,
       drop.up AS remedy,
       pg_catalog.format('low_selectivity_index:%I.%I', f.nspname, f.index_name) AS ignore_key,
       f.bytes AS impact,
       pg_catalog.jsonb_build_object(
		'table', pg_catalog.format('%I.%I', f.nspname, f.relname),
		'column', f.attname,
		'values', f.n_distinct,
		'rarest_frequency', f.rarest,
		'null_frequency', f.null_frac,
		'rows', f.rows,
		'scans', f.scans,
		'size_bytes', f.bytes::pg_catalog.int8,
		'figures_from', 'pg_stats of the last ANALYZE'
       ) AS evidence,
       CASE WHEN f.scans = 0 AND NOT pg_catalog.pg_is_in_recovery()
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_replication) THEN 'drop_index' END AS change_kind,
       f.relname AS change_relation,
       f.index_name AS change_index,
       drop.up AS sql_up
FROM figure AS f
CROSS JOIN LATERAL (
	SELECT pg_catalog.format(E'DROP INDEX CONCURRENTLY %I.%I;\n', f.nspname, f.index_name) AS up
) AS drop
WHERE f.rarest >= :min_frequency::pg_catalog.float8
-- what is not listed must be nothing, and NULL be frequent or absent
AND f.listed + f.null_frac >= 0.999
AND (f.null_frac = 0 OR f.null_frac >= :min_frequency::pg_catalog.float8)
UNION ALL
SELECT NULL, NULL, 'unknown',
       pg_catalog.format('the columns of %s index(es) may not be read, so their statistics are hidden',
		pg_catalog.count(*)),
       pg_catalog.format(CASE WHEN EXISTS (
			SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'pg_read_all_data')
		THEN 'GRANT pg_read_all_data TO %I;' ELSE 'GRANT SELECT ON ALL TABLES IN SCHEMA ... TO %I;'
			END,
		CURRENT_USER),
       NULL, 0, NULL, NULL, NULL, NULL, NULL
FROM idx AS i
WHERE NOT pg_catalog.has_column_privilege(i.indrelid, i.attnum, 'SELECT')
HAVING pg_catalog.count(*) > 0
