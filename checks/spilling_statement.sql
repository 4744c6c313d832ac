-- id: spilling_statement
-- title: Statement that writes temporary files
-- family: statements
-- severity: info
-- versions: 13-
-- needs: extension pg_stat_statements
-- needs: column pg_stat_statements.total_exec_time
-- threshold: min_bytes 1073741824 | it wrote at least so much in all...
-- threshold: min_call_bytes 1048576 | ...and so much in a call
-- threshold: warn_share 0.5 | a warning where it writes at least this share of all temporary blocks here
-- threshold: top 10 | at most so many are reported, those that wrote most first
--
-- Statements whose sorts and hashes do not fit in work_mem and go through temporary files. That takes disk
-- writes, and often several passes. An index that delivers rows in order, fewer columns or rows to sort, or
-- more work_mem for this statement alone spares them.
WITH
entry AS MATERIALIZED (
	SELECT s.queryid,
	       pg_catalog.sum(s.calls)::pg_catalog.float8 AS calls,
	       pg_catalog.sum(s.total_exec_time) AS total_ms,
	       pg_catalog.sum(s.temp_blks_written)::pg_catalog.float8
			* pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes
	FROM :pg_stat_statements_schema.pg_stat_statements(false) AS s
	JOIN pg_catalog.pg_database AS d ON d.oid = s.dbid
	WHERE d.datname = pg_catalog.current_database()
	GROUP BY s.queryid
),
whole AS MATERIALIZED (
	SELECT pg_catalog.sum(e.bytes) AS bytes FROM entry AS e
),
figure AS (
	SELECT e.*, e.bytes / e.calls AS call_bytes, e.bytes / NULLIF(w.bytes, 0) AS share,
	       pg_catalog.left(t.text, 300) AS text
	FROM entry AS e
	CROSS JOIN whole AS w
	JOIN (SELECT * FROM :statement_texts) AS t ON t.queryid = e.queryid
	WHERE e.calls > 0
	AND e.bytes >= GREATEST(:min_bytes::pg_catalog.float8, 1)
	AND e.bytes / e.calls >= :min_call_bytes::pg_catalog.float8
	AND t.verb IN ('select', 'with', 'insert', 'update', 'delete', 'merge', 'values', 'table', 'call')
	ORDER BY e.bytes DESC
	LIMIT :top::pg_catalog.int8
)
SELECT NULL AS schema,
       pg_catalog.format('statement %s', f.queryid) AS object,
       CASE WHEN f.share >= :warn_share::pg_catalog.float8 THEN 'warning' ELSE 'info' END AS severity,
       pg_catalog.format('Wrote %s of temporary files in %s calls, %s each time: %s %% of what statements'
	' here'
		' wrote (work_mem here: %s). %s',
		pg_catalog.pg_size_pretty(f.bytes::pg_catalog.int8),
		pg_catalog.to_char(f.calls, 'FM999,999,999,999,990'),
		pg_catalog.pg_size_pretty(f.call_bytes::pg_catalog.int8),
		pg_catalog.round((f.share * 100)::pg_catalog.numeric, 1),
		-- our own session has another
		(SELECT pg_catalog.pg_size_pretty(s.reset_val::pg_catalog.int8 * 1024)
		 FROM pg_catalog.pg_settings AS s WHERE s.name = 'work_mem'), f.text) AS detail,
       'EXPLAIN (ANALYZE, BUFFERS) shows which step writes. Try an index in the order that it sorts by, then'
		' SET LOCAL work_mem for this statement alone.' AS remedy,
       pg_catalog.format('spilling_statement:%s', f.queryid) AS ignore_key,
       f.bytes AS impact,
       pg_catalog.jsonb_build_object(
		'queryid', f.queryid::pg_catalog.text,
		'text', f.text,
		'calls', f.calls,
		'temp_bytes', f.bytes,
		'temp_bytes_per_call', pg_catalog.round(f.call_bytes::pg_catalog.numeric),
		'share', pg_catalog.round(f.share::pg_catalog.numeric, 4),
		'mean_ms', pg_catalog.round((f.total_ms / f.calls)::pg_catalog.numeric, 3)
       ) AS evidence
FROM figure AS f
UNION ALL
SELECT NULL, NULL, 'unknown', 'the statements of other users are hidden',
       pg_catalog.format('GRANT pg_read_all_stats TO %I;', CURRENT_USER), NULL, 0, NULL
FROM entry AS e
WHERE e.queryid IS NULL
