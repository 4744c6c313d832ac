-- id: slow_statement
-- title: Slow statement
-- family: statements
-- severity: warning
-- versions: 13-
-- needs: extension pg_stat_statements
-- needs: column pg_stat_statements.total_exec_time
-- threshold: min_mean_ms 20 | a statement is slow at this mean time...
-- threshold: min_calls 20 | ...and as many calls,
-- threshold: min_share 0.1 | or with this share of the time of all statements in this database,
-- threshold: min_total_ms 1000 | once those took as long together
-- threshold: top 20 | at most so many are reported, those that took most time in total first
--
-- Statements of this database on which the server spent most time, by pg_stat_statements: those that are
-- slow each time, and those that together take a large share. pgmend advise looks for the indexes that would
-- help.
--
-- Texts are as pg_stat_statements keeps them, with $1 in place of constants, and cut; quoted texts that it
-- keeps are blanked. Statements that only maintain or define (VACUUM, CREATE, COPY, EXPLAIN...) and those of
-- pgmend itself are left out.
WITH
entry AS MATERIALIZED (
	-- without texts, which may be hundreds of megabytes
	SELECT s.queryid,
	       pg_catalog.sum(s.calls)::pg_catalog.float8 AS calls,
	       pg_catalog.sum(s.total_exec_time) AS total_ms,
	       pg_catalog.max(s.max_exec_time) AS max_ms,
	       pg_catalog.sum(s.rows)::pg_catalog.float8 AS rows,
	       pg_catalog.sum(s.shared_blks_hit + s.shared_blks_read)::pg_catalog.float8 AS blocks,
	       pg_catalog.sum(s.temp_blks_written)::pg_catalog.float8 AS temp_blocks
	FROM :pg_stat_statements_schema.pg_stat_statements(false) AS s
	JOIN pg_catalog.pg_database AS d ON d.oid = s.dbid
	WHERE d.datname = pg_catalog.current_database()
	GROUP BY s.queryid
),
whole AS MATERIALIZED (
	SELECT pg_catalog.sum(e.total_ms) AS total_ms FROM entry AS e
),
slow AS MATERIALIZED (
	SELECT e.*, e.total_ms / e.calls AS mean_ms, e.total_ms / NULLIF(w.total_ms, 0) AS share
	FROM entry AS e
	CROSS JOIN whole AS w
	WHERE e.calls > 0
	-- hidden are those of other users, where we may not see them
	AND e.queryid IS NOT NULL
	AND (
		(e.total_ms / e.calls >= :min_mean_ms::pg_catalog.float8
			AND e.calls >= :min_calls::pg_catalog.float8)
		OR (
			w.total_ms >= :min_total_ms::pg_catalog.float8
			AND e.total_ms >= :min_share::pg_catalog.float8 * w.total_ms))
),
figure AS (
	SELECT s.*,
	       pg_catalog.left(t.text, 300) AS text,
	       pg_catalog.current_setting('block_size')::pg_catalog.float8 AS block_bytes
	FROM slow AS s
	JOIN (SELECT * FROM :statement_texts) AS t ON t.queryid = s.queryid
	WHERE t.verb IN ('select', 'with', 'insert', 'update', 'delete', 'merge', 'values', 'table', 'call')
	ORDER BY s.total_ms DESC
	LIMIT :top::pg_catalog.int8
)
SELECT NULL AS schema,
       pg_catalog.format('statement %s', f.queryid) AS object,
       CASE WHEN f.mean_ms >= :min_mean_ms::pg_catalog.float8 AND f.calls >= :min_calls::pg_catalog.float8
	THEN 'warning' ELSE 'info' END AS severity,
       pg_catalog.format('%s ms on average, %s ms at most, in %s calls: %s %% of the time of all statements'
	' here,'
		' %s rows and %s read for each call. %s',
		pg_catalog.round(f.mean_ms::pg_catalog.numeric, 1),
			pg_catalog.round(f.max_ms::pg_catalog.numeric, 1),
		pg_catalog.to_char(f.calls, 'FM999,999,999,999,990'),
		pg_catalog.round((f.share * 100)::pg_catalog.numeric, 1),
		pg_catalog.round((f.rows / f.calls)::pg_catalog.numeric, 1),
		pg_catalog.pg_size_pretty((f.blocks / f.calls * f.block_bytes)::pg_catalog.int8),
		f.text) AS detail,
       'pgmend advise looks for the indexes that would help.' AS remedy,
       pg_catalog.format('slow_statement:%s', f.queryid) AS ignore_key,
       f.total_ms AS impact,
       pg_catalog.jsonb_build_object(
		-- as text: JSON numbers lose digits in many readers
		'queryid', f.queryid::pg_catalog.text,
		'text', f.text,
		'calls', f.calls,
		'mean_ms', pg_catalog.round(f.mean_ms::pg_catalog.numeric, 3),
		'max_ms', pg_catalog.round(f.max_ms::pg_catalog.numeric, 3),
		'total_ms', pg_catalog.round(f.total_ms::pg_catalog.numeric, 3),
		'share_of_total', pg_catalog.round(f.share::pg_catalog.numeric, 4),
		'rows_per_call', pg_catalog.round((f.rows / f.calls)::pg_catalog.numeric, 1),
		'blocks_per_call', pg_catalog.round((f.blocks / f.calls)::pg_catalog.numeric, 1),
		'temp_blocks_per_call', pg_catalog.round((f.temp_blocks / f.calls)::pg_catalog.numeric, 1)
       ) AS evidence
FROM figure AS f
UNION ALL
SELECT NULL, NULL, 'unknown',
       pg_catalog.format('the statements of other users are hidden: %s calls, %s ms',
		pg_catalog.to_char(e.calls, 'FM999,999,999,999,990'),
		pg_catalog.round(e.total_ms::pg_catalog.numeric)),
       pg_catalog.format('GRANT pg_read_all_stats TO %I;', CURRENT_USER),
       NULL, 0, NULL
FROM entry AS e
WHERE e.queryid IS NULL
