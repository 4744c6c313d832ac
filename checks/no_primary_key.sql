-- id: no_primary_key
-- title: Table without a primary key
-- family: tables
-- severity: info
-- versions: 13-
-- threshold: min_rows 1 | a table with fewer rows, that nothing was written to, is not reported
-- threshold: warning_rows 100000 | a warning from so many rows on, where no unique index takes its place
--
-- Without a primary key nothing says which row is meant: duplicates cannot be told apart, logical replication
-- cannot send updates and deletes, and tools that change tables online refuse to work.
--
-- A unique index on columns that are NOT NULL is as good to most of these, and is only worth an info. Of a
-- partitioned table only the whole is reported. Tables that are empty and were never written are left out,
-- and so are unlogged ones, which often hold what may be lost.
WITH RECURSIVE
lacking AS (
	SELECT c.oid AS relid, n.nspname, c.relname, c.relkind
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p')
	AND NOT c.relispartition
	AND c.relpersistence = 'p'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_depend AS d
		WHERE d.classid = 1259 AND d.objid = c.oid AND d.deptype = 'e')
),
tree AS (
	SELECT l.relid AS root, l.relid
	FROM lacking AS l
	UNION ALL
	SELECT t.root, i.inhrelid
	FROM tree AS t
	JOIN pg_catalog.pg_class AS p ON p.oid = t.relid AND p.relkind = 'p'
	JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.relid
),
size AS (
	SELECT t.root,
	       pg_catalog.sum(GREATEST(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)
			::pg_catalog.float8) AS rows,
	       pg_catalog.sum(pg_catalog.pg_stat_get_tuples_inserted(c.oid)
			+ pg_catalog.pg_stat_get_tuples_updated(c.oid)
			+ pg_catalog.pg_stat_get_tuples_deleted(c.oid)) AS writes
	FROM tree AS t
	JOIN pg_catalog.pg_class AS c ON c.oid = t.relid AND c.relkind = 'r'
	GROUP BY t.root
),
figure AS (
	SELECT l.*, COALESCE(s.rows, 0) AS rows, COALESCE(s.writes, 0) AS writes, u.index_name
	FROM lacking AS l
	LEFT JOIN size AS s ON s.root = l.relid
	LEFT JOIN LATERAL (
		SELECT ic.relname AS index_name
		FROM pg_catalog.pg_index AS i
		JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
		WHERE i.indrelid = l.relid
		AND i.indisunique AND i.indisvalid AND i.indisready AND i.indimmediate
		AND i.indpred IS NULL AND i.indexprs IS NULL
		AND NOT EXISTS (
			SELECT
			FROM pg_catalog.pg_attribute AS a
			WHERE a.attrelid = l.relid AND NOT a.attnotnull
			AND a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1]))
		ORDER BY i.indnkeyatts, ic.relname
		LIMIT 1
	) AS u ON true
	WHERE COALESCE(s.rows, 0) >= :min_rows::pg_catalog.float8
	OR COALESCE(s.writes, 0) > 0
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.relname) AS object,
       CASE WHEN f.index_name IS NULL AND f.rows >= :warning_rows::pg_catalog.float8 THEN 'warning'
       ELSE 'info' END AS severity,
       pg_catalog.format('About %s rows, and no primary key.',
		pg_catalog.to_char(f.rows, 'FM999,999,999,999,990'))
       || CASE WHEN f.index_name IS NULL THEN ''
	ELSE pg_catalog.format(' The unique index %I could be it.', f.index_name) END AS detail,
       CASE WHEN f.index_name IS NOT NULL AND f.relkind = 'r' THEN pg_catalog.format(
		'ALTER TABLE %I.%I ADD PRIMARY KEY USING INDEX %I;', f.nspname, f.relname, f.index_name)
       ELSE 'Where its columns tell rows apart: CREATE UNIQUE INDEX CONCURRENTLY on them, then ADD PRIMARY'
		' KEY'
	' USING INDEX. To add a generated column rewrites the table.' END AS remedy,
       pg_catalog.format('no_primary_key:%I.%I', f.nspname, f.relname) AS ignore_key,
       f.rows AS impact,
       pg_catalog.jsonb_build_object(
		'rows', pg_catalog.round(f.rows),
		'rows_written', f.writes,
		'unique_index', f.index_name
       ) AS evidence
FROM figure AS f
