-- id: frequent_statement
-- title: Tiny statement that runs very often
-- family: statements
-- severity: info
-- versions: 13-
-- needs: extension pg_stat_statements
-- needs: column pg_stat_statements.total_exec_time
-- threshold: min_calls 100000 | fewer calls tell nothing
-- threshold: max_mean_ms 1 | a tiny statement takes at most so long on average...
-- threshold: max_rows 2 | ...and returns at most so many rows each time
-- threshold: min_share 0.2 | it has at least this share of the calls of all statements in this database
-- threshold: warn_time_share 0.2 | a warning from this share of their time on
-- threshold: top 10 | at most so many are reported
--
-- Reads of a row or two that make a large share of all calls. Each is fast, and the journey to the server
-- takes longer than the statement: usually a program reads a list, and then one row for each of its members
-- (N+1).
--
-- Statements without FROM (SELECT 1, with which pools try a connection) are left out. pg_stat_statements
-- does not tell which calls belong together, so that a look-up that many users make looks the same.
WITH
entry AS MATERIALIZED (
	SELECT s.queryid,
	       pg_catalog.sum(s.calls)::pg_catalog.float8 AS calls,
	       pg_catalog.sum(s.total_exec_time) AS total_ms,
	       pg_catalog.sum(s.rows)::pg_catalog.float8 AS rows
	FROM :pg_stat_statements_schema.pg_stat_statements(false) AS s
	JOIN pg_catalog.pg_database AS d ON d.oid = s.dbid
	WHERE d.datname = pg_catalog.current_database()
	GROUP BY s.queryid
),
whole AS MATERIALIZED (
	SELECT pg_catalog.sum(e.calls) AS calls, pg_catalog.sum(e.total_ms) AS total_ms FROM entry AS e
),
figure AS (
	SELECT e.queryid, e.calls, e.total_ms / e.calls AS mean_ms, e.rows / e.calls AS rows_per_call,
	       e.calls / w.calls AS call_share, e.total_ms / NULLIF(w.total_ms, 0) AS time_share,
	       pg_catalog.left(t.text, 300) AS text
	FROM entry AS e
	CROSS JOIN whole AS w
	JOIN (SELECT * FROM :statement_texts) AS t ON t.queryid = e.queryid
	WHERE e.calls >= GREATEST(:min_calls::pg_catalog.float8, 1)
	AND e.total_ms / e.calls <= :max_mean_ms::pg_catalog.float8
	AND e.rows / e.calls <= :max_rows::pg_catalog.float8
	AND e.calls / w.calls >= :min_share::pg_catalog.float8
	AND t.verb = 'select'
	AND t.text ~* '\mfrom\M'
	ORDER BY e.calls DESC
	LIMIT :top::pg_catalog.int8
)
SELECT NULL AS schema,
       pg_catalog.format('statement %s', f.queryid) AS object,
       CASE WHEN f.time_share >= :warn_time_share::pg_catalog.float8 THEN 'warning' ELSE 'info' END
	AS severity,
       pg_catalog.format('%s calls of %s ms that return %s rows each: %s %% of all calls and %s %% of the'
	' time'
		' of all statements here. %s',
		pg_catalog.to_char(f.calls, 'FM999,999,999,999,990'),
		pg_catalog.round(f.mean_ms::pg_catalog.numeric, 3),
		pg_catalog.round(f.rows_per_call::pg_catalog.numeric, 1),
		pg_catalog.round((f.call_share * 100)::pg_catalog.numeric, 1),
		pg_catalog.round((f.time_share * 100)::pg_catalog.numeric, 1), f.text) AS detail,
       'If a loop in the program runs it, read all rows at once (JOIN, or WHERE key = ANY ($1)); if many'
		' users ask for the same rows, keep them in the program for a while.' AS remedy,
       pg_catalog.format('frequent_statement:%s', f.queryid) AS ignore_key,
       f.calls AS impact,
       pg_catalog.jsonb_build_object(
		'queryid', f.queryid::pg_catalog.text,
		'text', f.text,
		'calls', f.calls,
		'mean_ms', pg_catalog.round(f.mean_ms::pg_catalog.numeric, 4),
		'rows_per_call', pg_catalog.round(f.rows_per_call::pg_catalog.numeric, 2),
		'share_of_calls', pg_catalog.round(f.call_share::pg_catalog.numeric, 4),
		'share_of_total', pg_catalog.round(f.time_share::pg_catalog.numeric, 4)
       ) AS evidence
FROM figure AS f
UNION ALL
SELECT NULL, NULL, 'unknown', 'the statements of other users are hidden',
       pg_catalog.format('GRANT pg_read_all_stats TO %I;', CURRENT_USER), NULL, 0, NULL
FROM entry AS e
WHERE e.queryid IS NULL
