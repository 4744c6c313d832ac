-- id: table_bloat
-- title: Bloated table
-- family: tables
-- severity: info
-- versions: 13-
-- threshold: min_bytes 104857600 | a smaller table is not looked at
-- threshold: min_share 0.3 | least share of the table that is estimated to be empty
-- threshold: warning_bytes 1073741824 | a warning from so many empty bytes and half of the table on
--
-- Rows that were deleted or updated leave room behind that VACUUM makes free for new rows of this table, but
-- seldom gives back. Until new rows fill it, sequential scans read it and the cache holds it.
--
-- This is an estimate from sizes and statistics: row header, null bitmap, each column with its alignment, and
-- the fillfactor. Values that are stored apart (TOAST) count as what they take here. Left out are tables with
-- a column that has no statistics. Room that will be used again soon is no loss: a queue, or a table that
-- grows, needs no mend. pgstattuple_approx() of the extension pgstattuple measures.
WITH RECURSIVE
tab AS MATERIALIZED (
	SELECT c.oid AS relid, n.nspname, c.relname, c.reltuples::pg_catalog.float8 AS rows,
	       c.relpages::pg_catalog.float8 AS pages,
	       pg_catalog.current_setting('block_size')::pg_catalog.float8 AS block_bytes,
	       COALESCE((
			SELECT pg_catalog.split_part(o, '=', 2)::pg_catalog.float8
			FROM pg_catalog.unnest(c.reloptions) AS o
			WHERE o LIKE 'fillfactor=%'), 100) / 100 AS fill
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	JOIN pg_catalog.pg_am AS am ON am.oid = c.relam
	WHERE c.relkind IN ('r', 'm')
	AND am.amname = 'heap'
	AND c.relpages > 1
	AND c.relpages * pg_catalog.current_setting('block_size')::pg_catalog.float8
		>= :min_bytes::pg_catalog.float8
	AND c.reltuples >= 0
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
),
col AS MATERIALIZED (
	SELECT t.relid, pg_catalog.row_number() OVER (PARTITION BY t.relid ORDER BY a.attnum) AS place,
	       a.attlen, s.avg_width, COALESCE(s.null_frac, 0) AS null_frac,
	       CASE a.attalign WHEN 'd' THEN 8 WHEN 'i' THEN 4 WHEN 's' THEN 2 ELSE 1 END AS align,
	       a.attlen < 0 AND s.avg_width IS NULL AS lacking,
	       s.avg_width IS NULL
	       AND NOT pg_catalog.has_column_privilege(t.relid, a.attnum, 'SELECT') AS hidden
	FROM tab AS t
	JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.relid AND a.attnum > 0 AND NOT a.attisdropped
	-- OFFSET: looked up one by one, never all of them joined
	LEFT JOIN LATERAL (
		SELECT v.avg_width, v.null_frac
		FROM pg_catalog.pg_stats AS v
		WHERE v.schemaname = t.nspname AND v.tablename = t.relname AND v.attname = a.attname
		AND NOT v.inherited
		OFFSET 0
	) AS s ON true
),
usable AS MATERIALIZED (
	SELECT c.relid, pg_catalog.count(*) AS columns, pg_catalog.bool_or(c.null_frac > 0) AS nulls,
	       pg_catalog.bool_or(c.lacking) AS lacking, pg_catalog.bool_or(c.lacking AND c.hidden) AS hidden
	FROM col AS c
	GROUP BY c.relid
),
-- Bytes of one row, column after column. phase: where the next column starts, of 8; NULL after a value
-- of varying length, where alignment costs half of what it may.
entry AS (
	SELECT u.relid, 0::pg_catalog.int8 AS place,
	       (pg_catalog.ceil((23 + CASE WHEN u.nulls THEN pg_catalog.ceil(u.columns / 8.0) ELSE 0 END) / 8)
			* 8)::pg_catalog.float8 AS bytes,
	       0 AS phase
	FROM usable AS u
	WHERE NOT u.lacking
	UNION ALL
	SELECT e.relid, e.place + 1,
	       e.bytes + (1 - c.null_frac) * (pad.bytes
			+ CASE WHEN c.attlen > 0 THEN c.attlen ELSE c.avg_width END),
	       CASE WHEN c.attlen > 0 THEN (COALESCE(e.phase + pad.bytes, 0)::pg_catalog.int4 + c.attlen) % 8
	       END
	FROM entry AS e
	JOIN col AS c ON c.relid = e.relid AND c.place = e.place + 1
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
	SELECT t.*,
	       -- the whole is aligned to 8, and has a line pointer of 4
	       4 + CASE WHEN e.phase IS NULL THEN e.bytes + 3.5
		   ELSE pg_catalog.ceil(e.bytes / 8) * 8 END AS row_bytes
	FROM tab AS t
	JOIN usable AS u ON u.relid = t.relid
	JOIN entry AS e ON e.relid = t.relid AND e.place = u.columns
),
figure AS (
	SELECT s.*, GREATEST(s.pages - ideal.pages, 0) * s.block_bytes AS empty_bytes,
	       (s.pages - ideal.pages) / s.pages AS share, ideal.pages AS ideal_pages,
	       pg_catalog.pg_stat_get_dead_tuples(s.relid) AS dead
	FROM sized AS s
	CROSS JOIN LATERAL (
		-- 24 bytes of page header, and what does not fit at the end
		SELECT GREATEST(pg_catalog.floor((s.block_bytes - 24) * s.fill / s.row_bytes), 1) AS fan
	) AS page
	CROSS JOIN LATERAL (
		SELECT pg_catalog.ceil(s.rows / page.fan) AS pages
	) AS ideal
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.relname) AS object,
       CASE WHEN f.empty_bytes >= :warning_bytes::pg_catalog.float8 AND f.share >= 0.5 THEN 'warning'
       ELSE 'info' END AS severity,
       pg_catalog.format('By estimate %s %% of this table is empty: %s of %s for %s rows.',
		pg_catalog.round((f.share * 100)::pg_catalog.numeric),
		pg_catalog.pg_size_pretty(f.empty_bytes::pg_catalog.int8),
		pg_catalog.pg_size_pretty((f.pages * f.block_bytes)::pg_catalog.int8),
		pg_catalog.to_char(f.rows, 'FM999,999,999,999,990'))
       || CASE WHEN f.dead > 0.1 * f.rows THEN pg_catalog.format(' %s dead rows wait for VACUUM.',
		pg_catalog.to_char(f.dead, 'FM999,999,999,999,990')) ELSE '' END AS detail,
       'New rows will fill it. If they will not: pg_repack or pg_squeeze rebuild the table while it is in'
		' use. VACUUM FULL rebuilds it too, but blocks every statement on it until it ends.'
			AS remedy,
       pg_catalog.format('table_bloat:%I.%I', f.nspname, f.relname) AS ignore_key,
       f.empty_bytes AS impact,
       pg_catalog.jsonb_build_object(
		'estimate', true,
		'size_bytes', (f.pages * f.block_bytes)::pg_catalog.int8,
		'needed_bytes', (f.ideal_pages * f.block_bytes)::pg_catalog.int8,
		'empty_share', pg_catalog.round(f.share::pg_catalog.numeric, 3),
		'rows', f.rows,
		'dead_rows', f.dead,
		'row_bytes', pg_catalog.round(f.row_bytes::pg_catalog.numeric, 1),
		'fillfactor', pg_catalog.round((f.fill * 100)::pg_catalog.numeric),
		'figures_from', 'relpages and reltuples of the last VACUUM or ANALYZE, widths of pg_stats'
       ) AS evidence
FROM figure AS f
WHERE f.share >= :min_share::pg_catalog.float8
UNION ALL
SELECT NULL, NULL, 'unknown',
       pg_catalog.format('the columns of %s table(s) may not be read, so their statistics are hidden',
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
