-- Texts of the statements of this database that checks may report: those first in some respect. One look for
-- all checks, because pg_stat_statements reads the texts of all statements, be they hundreds of megabytes,
-- for each look that wants one. The first characters are enough to tell what a statement is.
WITH
entry AS MATERIALIZED (
	SELECT s.queryid,
	       pg_catalog.sum(s.calls) AS calls,
	       pg_catalog.sum(s.total_exec_time) AS total_ms,
	       pg_catalog.sum(s.total_exec_time) / NULLIF(pg_catalog.sum(s.calls), 0) AS mean_ms,
	       pg_catalog.sum(s.shared_blks_hit + s.shared_blks_read) AS blocks,
	       pg_catalog.sum(s.temp_blks_written) AS temp_blocks
	FROM :pg_stat_statements_schema.pg_stat_statements(false) AS s
	JOIN pg_catalog.pg_database AS d ON d.oid = s.dbid
	WHERE d.datname = pg_catalog.current_database()
	AND s.queryid IS NOT NULL
	GROUP BY s.queryid
),
ranked AS (
	SELECT e.queryid,
	       LEAST(
			pg_catalog.row_number() OVER (ORDER BY e.calls DESC),
			pg_catalog.row_number() OVER (ORDER BY e.total_ms DESC),
			pg_catalog.row_number() OVER (ORDER BY e.mean_ms DESC NULLS LAST),
			pg_catalog.row_number() OVER (ORDER BY e.blocks DESC),
			pg_catalog.row_number() OVER (ORDER BY e.temp_blocks DESC)) AS place
	FROM entry AS e
),
wanted AS MATERIALIZED (
	SELECT r.queryid FROM ranked AS r WHERE r.place <= 200
),
-- cut as they come, before anything sorts them
cut AS MATERIALIZED (
	SELECT s.queryid, pg_catalog.left(s.query, 4000) AS query
	FROM :pg_stat_statements_schema.pg_stat_statements(true) AS s
	WHERE s.queryid = ANY (ARRAY(SELECT w.queryid FROM wanted AS w))
	AND s.dbid = (SELECT d.oid FROM pg_catalog.pg_database AS d
		WHERE d.datname = pg_catalog.current_database())
),
text AS (
	SELECT c.queryid, pg_catalog.min(c.query) AS query
	FROM cut AS c
	GROUP BY c.queryid
)
SELECT t.queryid,
       -- comments before the first word do not tell what it is
       pg_catalog.lower(pg_catalog.substring(pg_catalog.regexp_replace(t.query,
		'^(\s|/\*([^*]|\*[^/])*\*/|--[^\n]*\n|\()*', ''), '^\w+')) AS verb,
       pg_catalog.left(pg_catalog.regexp_replace(pg_catalog.regexp_replace(
		t.query, E'''([^'']|'''')*(''|$)', E'''...''', 'g'), '\s+', ' ', 'g'), 1000) AS text
FROM text AS t
WHERE pg_catalog.strpos(t.query, '/* ' || 'pgmend */') = 0
