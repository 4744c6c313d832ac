-- id: jit_overhead
-- title: Statement that spends its time on JIT compilation
-- family: statements
-- severity: info
-- versions: 15-
-- needs: extension pg_stat_statements
-- needs: column pg_stat_statements.jit_functions
-- threshold: min_share 0.3 | compilation takes at least this share of the statement's time...
-- threshold: min_jit_ms 5 | ...and so long in a call that compiles
-- threshold: min_compiled 20 | fewer compilations tell nothing
-- threshold: warn_share 0.1 | a warning where it takes this share of the time of all statements here
-- threshold: top 10 | at most so many are reported
--
-- Statements for which the server compiles expressions each time (JIT) and that take too short to earn it
-- back. What is compiled is not kept. It happens where the planner overestimates the cost, and where plans
-- read many partitions.
WITH
entry AS MATERIALIZED (
	SELECT s.queryid,
	       pg_catalog.sum(s.calls)::pg_catalog.float8 AS calls,
	       pg_catalog.sum(s.total_exec_time) AS total_ms,
	       -- each that was compiled has emitted code; not each was inlined or optimized
	       pg_catalog.sum(s.jit_emission_count)::pg_catalog.float8 AS compiled,
	       pg_catalog.sum(s.jit_functions)::pg_catalog.float8 AS functions,
	       pg_catalog.sum(s.jit_generation_time + s.jit_inlining_time + s.jit_optimization_time
			+ s.jit_emission_time) AS jit_ms
	FROM :pg_stat_statements_schema.pg_stat_statements(false) AS s
	JOIN pg_catalog.pg_database AS d ON d.oid = s.dbid
	WHERE d.datname = pg_catalog.current_database()
	GROUP BY s.queryid
),
whole AS MATERIALIZED (
	SELECT pg_catalog.sum(e.total_ms) AS total_ms FROM entry AS e
),
figure AS (
	SELECT e.*, e.jit_ms / NULLIF(e.total_ms, 0) AS share, e.jit_ms / NULLIF(w.total_ms, 0)
		AS whole_share,
	       pg_catalog.left(t.text, 300) AS text
	FROM entry AS e
	CROSS JOIN whole AS w
	JOIN (SELECT * FROM :statement_texts) AS t ON t.queryid = e.queryid
	WHERE e.compiled >= GREATEST(:min_compiled::pg_catalog.float8, 1)
	AND e.jit_ms >= :min_share::pg_catalog.float8 * e.total_ms
	AND e.jit_ms / e.compiled >= :min_jit_ms::pg_catalog.float8
	AND t.verb IN ('select', 'with', 'insert', 'update', 'delete', 'merge', 'values', 'table')
	ORDER BY e.jit_ms DESC
	LIMIT :top::pg_catalog.int8
)
SELECT NULL AS schema,
       pg_catalog.format('statement %s', f.queryid) AS object,
       CASE WHEN f.whole_share >= :warn_share::pg_catalog.float8 THEN 'warning' ELSE 'info' END AS severity,
       pg_catalog.format('Compiled %s times, %s ms each time, %s %% of its time: %s %% of the time of all'
		' statements here. %s',
		pg_catalog.to_char(f.compiled, 'FM999,999,999,999,990'),
		pg_catalog.round((f.jit_ms / f.compiled)::pg_catalog.numeric, 1),
		pg_catalog.round((f.share * 100)::pg_catalog.numeric, 1),
		pg_catalog.round((f.whole_share * 100)::pg_catalog.numeric, 1), f.text) AS detail,
       pg_catalog.format('SET LOCAL jit = off for it, ALTER ROLE ... SET jit = off for the application,'
	' or raise'
		' jit_above_cost (here %s).', pg_catalog.current_setting('jit_above_cost')) AS remedy,
       pg_catalog.format('jit_overhead:%s', f.queryid) AS ignore_key,
       f.jit_ms AS impact,
       pg_catalog.jsonb_build_object(
		'queryid', f.queryid::pg_catalog.text,
		'text', f.text,
		'calls', f.calls,
		'compiled', f.compiled,
		'functions', f.functions,
		'jit_ms', pg_catalog.round(f.jit_ms::pg_catalog.numeric, 3),
		'share', pg_catalog.round(f.share::pg_catalog.numeric, 4),
		'share_of_total', pg_catalog.round(f.whole_share::pg_catalog.numeric, 4)
       ) AS evidence
FROM figure AS f
UNION ALL
SELECT NULL, NULL, 'unknown', 'the statements of other users are hidden',
       pg_catalog.format('GRANT pg_read_all_stats TO %I;', CURRENT_USER), NULL, 0, NULL
FROM entry AS e
WHERE e.queryid IS NULL
