-- id: index_bloat
-- title: Bloated index
-- family: indexes
-- severity: info
-- versions: 13-
-- threshold: min_bytes 104857600 | a smaller index is not looked at
-- threshold: min_share 0.3 | least share of the index that is estimated to be empty
-- threshold: warning_bytes 1073741824 | a warning from so many empty bytes and half of the index on
--
-- Pages of a B-tree that were filled and emptied again stay with it: it is larger than its entries need, and
-- so are the cache and the reads that it takes. Rebuilding it gives the space back.
--
-- This is an estimate from sizes and statistics: entries, with their header, the alignment of each column and
-- null bitmap, put at the fillfactor on pages. Deduplication is not reckoned with, so an index with many
-- equal keys needs less than the estimate allows for and what is reported of it is the least that is empty.
-- Left out are indexes whose columns have no statistics. pgstatindex() of the extension pgstattuple measures.
WITH RECURSIVE
idx AS MATERIALIZED (
	SELECT i.indexrelid, i.indrelid, i.indkey, i.indnatts, i.indisunique, n.nspname, t.relname,
	       ic.relname AS index_name, ic.reltuples::pg_catalog.float8 AS rows,
	       ic.relpages::pg_catalog.float8 AS pages,
	       pg_catalog.current_setting('block_size')::pg_catalog.float8 AS block_bytes,
	       COALESCE((
			SELECT pg_catalog.split_part(o, '=', 2)::pg_catalog.float8
			FROM pg_catalog.unnest(ic.reloptions) AS o
			WHERE o LIKE 'fillfactor=%'), 90) / 100 AS fill
	FROM pg_catalog.pg_index AS i
	JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
	JOIN pg_catalog.pg_am AS am ON am.oid = ic.relam
	JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
	WHERE i.indisvalid AND i.indisready AND i.indislive
	AND ic.relkind = 'i'
	AND am.amname = 'btree'
	AND ic.relpages > 1
	AND ic.relpages * pg_catalog.current_setting('block_size')::pg_catalog.float8
		>= :min_bytes::pg_catalog.float8
	AND ic.reltuples >= 0
	AND t.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
),
-- statistics of an expression stand under the index's own name
col AS MATERIALIZED (
	SELECT i.indexrelid, a.attnum, a.attlen, s.avg_width, COALESCE(s.null_frac, 0) AS null_frac,
	       CASE a.attalign WHEN 'd' THEN 8 WHEN 'i' THEN 4 WHEN 's' THEN 2 ELSE 1 END AS align,
	       a.attlen < 0 AND s.avg_width IS NULL AS lacking,
	       s.avg_width IS NULL AND ta.attnum IS NOT NULL
	       AND NOT pg_catalog.has_column_privilege(i.indrelid, ta.attnum, 'SELECT') AS hidden
	FROM idx AS i
	JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indexrelid
	LEFT JOIN pg_catalog.pg_attribute AS ta ON ta.attrelid = i.indrelid AND ta.attnum <> 0
		AND ta.attnum = i.indkey[a.attnum - 1]
	-- OFFSET: looked up one by one, never all of them joined
	LEFT JOIN LATERAL (
		SELECT v.avg_width, v.null_frac
		FROM pg_catalog.pg_stats AS v
		WHERE v.schemaname = i.nspname AND NOT v.inherited
		AND v.tablename = CASE WHEN ta.attnum IS NULL THEN i.index_name ELSE i.relname END
		AND v.attname = COALESCE(ta.attname, a.attname)
		OFFSET 0
	) AS s ON true
),
usable AS MATERIALIZED (
	SELECT c.indexrelid, pg_catalog.bool_or(c.null_frac > 0) AS nulls,
	       pg_catalog.bool_or(c.lacking) AS lacking, pg_catalog.bool_or(c.lacking AND c.hidden) AS hidden
	FROM col AS c
	GROUP BY c.indexrelid
),
-- Bytes of one entry, column after column. phase: where the next column starts, of 8; NULL after a value
-- of varying length, where alignment costs half of what it may.
entry AS (
	SELECT u.indexrelid, 0 AS attnum,
	       CASE WHEN u.nulls THEN 16 ELSE 8 END::pg_catalog.float8 AS bytes, 0 AS phase
	FROM usable AS u
	WHERE NOT u.lacking
	UNION ALL
	SELECT e.indexrelid, e.attnum + 1,
	       e.bytes + (1 - c.null_frac) * (pad.bytes
			+ CASE WHEN c.attlen > 0 THEN c.attlen ELSE c.avg_width END),
	       CASE WHEN c.attlen > 0 THEN (COALESCE(e.phase + pad.bytes, 0)::pg_catalog.int4 + c.attlen) % 8
	       END
	FROM entry AS e
	JOIN col AS c ON c.indexrelid = e.indexrelid AND c.attnum = e.attnum + 1
	CROSS JOIN LATERAL (
		SELECT CASE
			-- a short value has a header of one byte and is not aligned
			WHEN c.attlen < 0 AND c.avg_width < 127 THEN 0
			WHEN e.phase IS NULL THEN (c.align - 1) / 2.0
			ELSE (c.align - e.phase % c.align) % c.align
		       END::pg_catalog.float8 AS bytes
	) AS pad
),
sized AS (
	SELECT i.*,
	       -- the whole is aligned to 8, and has a line pointer of 4
	       4 + CASE WHEN e.phase IS NULL THEN e.bytes + 3.5
		   ELSE pg_catalog.ceil(e.bytes / 8) * 8 END AS entry_bytes
	FROM idx AS i
	JOIN entry AS e ON e.indexrelid = i.indexrelid AND e.attnum = i.indnatts
),
figure AS (
	SELECT s.*, GREATEST(s.pages - ideal.pages, 0) * s.block_bytes AS empty_bytes,
	       (s.pages - ideal.pages) / s.pages AS share, ideal.pages AS ideal_pages
	FROM sized AS s
	CROSS JOIN LATERAL (
		-- 24 bytes of page header, 16 of B-tree data, and what does not fit at the end
		SELECT GREATEST(pg_catalog.floor((s.block_bytes - 40) * s.fill / s.entry_bytes), 1) AS fan
	) AS page
	CROSS JOIN LATERAL (
		SELECT 1 + pg_catalog.ceil(s.rows / page.fan) * (1 + 1.0 / GREATEST(page.fan, 2)) AS pages
	) AS ideal
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.index_name) AS object,
       CASE WHEN f.empty_bytes >= :warning_bytes::pg_catalog.float8 AND f.share >= 0.5 THEN 'warning'
       ELSE 'info' END AS severity,
       pg_catalog.format('By estimate %s %% of this index on %I.%I is empty: %s of %s for %s entries.',
		pg_catalog.round((f.share * 100)::pg_catalog.numeric), f.nspname, f.relname,
		pg_catalog.pg_size_pretty(f.empty_bytes::pg_catalog.int8),
		pg_catalog.pg_size_pretty((f.pages * f.block_bytes)::pg_catalog.int8),
		pg_catalog.to_char(f.rows, 'FM999,999,999,999,990')) AS detail,
       pg_catalog.format('REINDEX INDEX CONCURRENTLY %I.%I;', f.nspname, f.index_name) AS remedy,
       pg_catalog.format('index_bloat:%I.%I', f.nspname, f.index_name) AS ignore_key,
       f.empty_bytes AS impact,
       pg_catalog.jsonb_build_object(
		'table', pg_catalog.format('%I.%I', f.nspname, f.relname),
		'estimate', true,
		'size_bytes', (f.pages * f.block_bytes)::pg_catalog.int8,
		'needed_bytes', (f.ideal_pages * f.block_bytes)::pg_catalog.int8,
		'empty_share', pg_catalog.round(f.share::pg_catalog.numeric, 3),
		'entries', f.rows,
		'entry_bytes', pg_catalog.round(f.entry_bytes::pg_catalog.numeric, 1),
		'fillfactor', pg_catalog.round((f.fill * 100)::pg_catalog.numeric),
		'figures_from', 'relpages and reltuples of the last VACUUM or ANALYZE, widths of pg_stats'
       ) AS evidence
FROM figure AS f
WHERE f.share >= :min_share::pg_catalog.float8
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
FROM usable AS u
WHERE u.hidden
HAVING pg_catalog.count(*) > 0
