-- id: cache_hit
-- title: Low cache hit ratio
-- family: cache
-- severity: info
-- versions: 13-
-- threshold: min_blocks 100000 | fewer block accesses tell nothing
-- threshold: min_database 0.95 | least ratio of the database
-- threshold: min_table 0.9 | least ratio of a table or an index
-- threshold: top 20 | at most so many tables and as many indexes, those with most misses first
--
-- The share of block accesses that shared_buffers answered. What misses comes from the operating system's
-- cache or from disk. It is a hint, not a fault: a report that reads a large table once misses every block.
-- Tables whose misses are many are worth a look: a sequential scan where an index would do is the usual
-- cause.
--
-- Ratios are of all accesses since statistics began on this server, and only where these are enough to tell.
WITH
setting AS MATERIALIZED (
	SELECT pg_catalog.current_setting('block_size')::pg_catalog.float8 AS block_bytes,
	       pg_catalog.current_setting('shared_buffers') AS shared_buffers,
	       d.oid AS database_oid
	FROM pg_catalog.pg_database AS d
	WHERE d.datname = pg_catalog.current_database()
),
access AS (
	SELECT 'database' AS kind, NULL::pg_catalog.text AS schema,
		pg_catalog.current_database()::pg_catalog.text AS name,
	       NULL::pg_catalog.text AS on_table,
	       pg_catalog.pg_stat_get_db_blocks_fetched(s.database_oid)::pg_catalog.float8 AS fetched,
	       pg_catalog.pg_stat_get_db_blocks_hit(s.database_oid)::pg_catalog.float8 AS hit
	FROM setting AS s
	UNION ALL
	SELECT CASE WHEN c.relkind = 'i' THEN 'index' ELSE 'table' END, n.nspname, c.relname, t.relname,
	       pg_catalog.pg_stat_get_blocks_fetched(c.oid), pg_catalog.pg_stat_get_blocks_hit(c.oid)
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
	LEFT JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
	WHERE c.relkind IN ('r', 'm', 'i')
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
),
ranked AS (
	SELECT a.*, a.hit / a.fetched AS ratio, a.fetched - a.hit AS misses,
	       pg_catalog.row_number() OVER (PARTITION BY a.kind ORDER BY a.fetched - a.hit DESC, a.schema,
		a.name) AS place
	FROM access AS a
	WHERE a.fetched >= GREATEST(:min_blocks::pg_catalog.float8, 1)
	AND a.hit / a.fetched < CASE a.kind WHEN 'database' THEN :min_database::pg_catalog.float8
				ELSE :min_table::pg_catalog.float8 END
)
SELECT r.schema,
       CASE WHEN r.kind = 'database' THEN pg_catalog.format('database %I', r.name)
       ELSE pg_catalog.format('%I.%I', r.schema, r.name) END AS object,
       'info' AS severity,
       pg_catalog.format('%s %% of %s block accesses to this %s were found in shared_buffers (%s); %s were'
	' read from'
		' outside.',
		pg_catalog.round((r.ratio * 100)::pg_catalog.numeric, 1),
		pg_catalog.to_char(r.fetched, 'FM999,999,999,999,990'), r.kind, s.shared_buffers,
		pg_catalog.pg_size_pretty((r.misses * s.block_bytes)::pg_catalog.int8)) AS detail,
       CASE r.kind
	WHEN 'database' THEN 'Look at the tables and statements with most reads first; then consider a larger'
		' shared_buffers.'
	WHEN 'table' THEN 'Look for sequential scans of it that an index would spare (pgmend advise).'
	ELSE 'Look for scans that read much of the index, and for bloat.'
       END AS remedy,
       CASE WHEN r.kind = 'database' THEN 'cache_hit:database'
       ELSE pg_catalog.format('cache_hit:%I.%I', r.schema, r.name) END AS ignore_key,
       r.misses AS impact,
       pg_catalog.jsonb_build_object(
		'kind', r.kind,
		'table', r.on_table,
		'ratio', pg_catalog.round(r.ratio::pg_catalog.numeric, 4),
		'block_accesses', r.fetched,
		'block_misses', r.misses
       ) AS evidence
FROM ranked AS r
CROSS JOIN setting AS s
WHERE r.place <= :top::pg_catalog.int8
