-- id: rows_read_per_row
-- title: Statement that reads much for each row
-- family: statements
-- severity: info
-- versions: 13-
-- needs: extension pg_stat_statements
-- needs: column pg_stat_statements.total_exec_time
-- threshold: min_blocks 1000 | it reads at least so many blocks for each row that it returns or changes
-- threshold: min_calls 100 | fewer calls tell nothing
-- threshold: min_mean_ms 1 | a faster one is not reported
-- threshold: warn_share 0.1 | a warning where it takes at least this share of the time of all statements here
-- threshold: top 10 | at most so many are reported, those that read most in all first
--
-- Statements that read hundreds of blocks, of many rows each, to return or change one row: usually a
-- sequential scan, or an index that fits a part of the condition alone. The rest is read and thrown away.
--
-- pg_stat_statements counts blocks, not the rows that a plan threw away. Statements that must read much by
-- their nature are left out, as far as their text tells: aggregates, GROUP BY, DISTINCT, set operations,
-- INSERT.
WITH
entry AS MATERIALIZED (
	SELECT s.queryid,
	       pg_catalog.sum(s.calls)::pg_catalog.float8 AS calls,
	       pg_catalog.sum(s.total_exec_time) AS total_ms,
	       pg_catalog.sum(s.rows)::pg_catalog.float8 AS rows,
	       pg_catalog.sum(s.shared_blks_hit + s.shared_blks_read)::pg_catalog.float8 AS blocks
	FROM :pg_stat_statements_schema.pg_stat_statements(false) AS s
	JOIN pg_catalog.pg_database AS d ON d.oid = s.dbid
	WHERE d.datname = pg_catalog.current_database()
	GROUP BY s.queryid
),
whole AS MATERIALIZED (
	SELECT pg_catalog.sum(e.total_ms) AS total_ms FROM entry AS e
),
figure AS (
	SELECT e.*, e.total_ms / e.calls AS mean_ms, e.total_ms / NULLIF(w.total_ms, 0) AS share,
	       -- a call that finds nothing has read its blocks for nothing
	       e.blocks / GREATEST(e.rows, e.calls) AS blocks_per_row,
	       pg_catalog.current_setting('block_size')::pg_catalog.float8 AS block_bytes,
	       pg_catalog.left(t.text, 300) AS text
	FROM entry AS e
	CROSS JOIN whole AS w
	JOIN (SELECT * FROM :statement_texts) AS t ON t.queryid = e.queryid
	WHERE e.calls >= GREATEST(:min_calls::pg_catalog.float8, 1)
	AND e.blocks / GREATEST(e.rows, e.calls) >= :min_blocks::pg_catalog.float8
	AND e.total_ms / e.calls >= :min_mean_ms::pg_catalog.float8
	AND t.verb IN ('select', 'with', 'update', 'delete')
	AND t.text ~* '\m(from|update)\M'
	AND t.text !~* ('\m(count|sum|avg|min|max|(array|string|jsonb?|xml)[a-z_]*_?agg'
		'|bool_(and|or)|every|exists|percentile_(cont|disc)|stddev[a-z_]*'
		'|var(iance|_[a-z]+)|corr)\s*\('
		'|\m(group\s+by|distinct|union|intersect|except|over)\M')
	ORDER BY e.blocks DESC
	LIMIT :top::pg_catalog.int8
)
SELECT NULL AS schema,
       pg_catalog.format('statement %s', f.queryid) AS object,
       CASE WHEN f.share >= :warn_share::pg_catalog.float8 THEN 'warning' ELSE 'info' END AS severity,
       pg_catalog.format('Reads %s (%s blocks) for each row that it returns or changes, %s rows a call in %s'
		' calls of %s ms: %s %% of the time of all statements here. %s',
		pg_catalog.pg_size_pretty((f.blocks_per_row * f.block_bytes)::pg_catalog.int8),
		pg_catalog.to_char(f.blocks_per_row, 'FM999,999,999,999,990'),
		pg_catalog.round((f.rows / f.calls)::pg_catalog.numeric, 1),
		pg_catalog.to_char(f.calls, 'FM999,999,999,999,990'),
		pg_catalog.round(f.mean_ms::pg_catalog.numeric, 1),
		pg_catalog.round((f.share * 100)::pg_catalog.numeric, 1), f.text) AS detail,
       'pgmend advise looks for the index that would find these rows.' AS remedy,
       pg_catalog.format('rows_read_per_row:%s', f.queryid) AS ignore_key,
       f.blocks AS impact,
       pg_catalog.jsonb_build_object(
		'queryid', f.queryid::pg_catalog.text,
		'text', f.text,
		'calls', f.calls,
		'mean_ms', pg_catalog.round(f.mean_ms::pg_catalog.numeric, 3),
		'rows_per_call', pg_catalog.round((f.rows / f.calls)::pg_catalog.numeric, 2),
		'blocks_per_row', pg_catalog.round(f.blocks_per_row::pg_catalog.numeric),
		'share_of_total', pg_catalog.round(f.share::pg_catalog.numeric, 4)
       ) AS evidence
FROM figure AS f
UNION ALL
SELECT NULL, NULL, 'unknown', 'the statements of other users are hidden',
       pg_catalog.format('GRANT pg_read_all_stats TO %I;', CURRENT_USER), NULL, 0, NULL
FROM entry AS e
WHERE e.queryid IS NULL
