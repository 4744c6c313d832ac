-- id: seq_scan_heavy
-- title: Large table read from end to end, often
-- family: tables
-- severity: warning
-- versions: 13-
-- threshold: min_rows 10000 | a smaller table is best read whole
-- threshold: min_scans 50 | fewer scans may be backups and reports
-- threshold: min_rows_read 10000000 | sequential scans read so many rows together
-- threshold: warning_rows_read 1000000000 | a warning from so many on
--
-- A sequential scan reads every row to keep a few. On a small table nothing is faster; on a large one that is
-- read so again and again, an index is usually missing, or a predicate cannot use the one that is there.
--
-- Counted are scans and rows since statistics began on this server, of a partitioned table for all its
-- partitions together. Scans that stop after a few rows (LIMIT) do not count: the mean must be a tenth of the
-- table. What aggregates the whole table is rightly a sequential scan.
WITH RECURSIVE
tree AS (
	SELECT c.oid AS root, c.oid AS relid
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'm', 'p')
	AND NOT c.relispartition
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	UNION ALL
	SELECT t.root, i.inhrelid
	FROM tree AS t
	JOIN pg_catalog.pg_class AS p ON p.oid = t.relid AND p.relkind = 'p'
	JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.relid
),
part AS (
	SELECT t.root,
	       -- what is larger: the last ANALYZE's figure, or the counter since then
	       GREATEST(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::pg_catalog.float8 AS rows,
	       c.relpages::pg_catalog.float8 AS pages,
	       pg_catalog.pg_stat_get_numscans(c.oid)::pg_catalog.float8 AS scans,
	       pg_catalog.pg_stat_get_tuples_returned(c.oid)::pg_catalog.float8 AS rows_read
	FROM tree AS t
	JOIN pg_catalog.pg_class AS c ON c.oid = t.relid AND c.relkind IN ('r', 'm')
),
total AS MATERIALIZED (
	SELECT p.root, pg_catalog.sum(p.rows) AS rows, pg_catalog.sum(p.pages) AS pages,
	       pg_catalog.max(p.scans) AS scans, pg_catalog.sum(p.rows_read) AS rows_read,
	       pg_catalog.sum(p.scans) AS part_scans, pg_catalog.max(p.rows) AS largest
	FROM part AS p
	GROUP BY p.root
),
by_index AS (
	SELECT m.root, pg_catalog.sum(pg_catalog.pg_stat_get_numscans(i.indexrelid)) AS scans
	FROM tree AS m
	JOIN pg_catalog.pg_index AS i ON i.indrelid = m.relid
	GROUP BY m.root
),
figure AS (
	SELECT n.nspname, c.relname, t.*,
	       ix.scans AS index_scans,
	       pg_catalog.date_part('epoch', pg_catalog.now() - COALESCE(
			(SELECT pg_catalog.pg_stat_get_db_stat_reset_time(d.oid)
			 FROM pg_catalog.pg_database AS d
			 WHERE d.datname = pg_catalog.current_database()),
			pg_catalog.pg_postmaster_start_time())) / 86400 AS days
	FROM total AS t
	JOIN pg_catalog.pg_class AS c ON c.oid = t.root
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	LEFT JOIN by_index AS ix ON ix.root = t.root
	WHERE t.rows >= :min_rows::pg_catalog.float8
	AND t.scans >= :min_scans::pg_catalog.float8
	AND t.rows_read >= :min_rows_read::pg_catalog.float8
	AND t.rows_read / t.part_scans >= t.largest / 10
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.relname) AS object,
       CASE WHEN f.rows_read >= :warning_rows_read::pg_catalog.float8 THEN 'warning' ELSE 'info' END
		AS severity,
       pg_catalog.format('%s sequential scans in %s days read %s rows of this table of about %s (%s),'
		' against %s'
	' index scans.',
		pg_catalog.to_char(f.scans, 'FM999,999,999,999,990'),
		pg_catalog.round(f.days::pg_catalog.numeric, 1),
		pg_catalog.to_char(f.rows_read, 'FM999,999,999,999,990'),
		pg_catalog.to_char(f.rows, 'FM999,999,999,999,990'),
		pg_catalog.pg_size_pretty((f.pages * pg_catalog.current_setting('block_size')
			::pg_catalog.float8)::pg_catalog.int8),
		pg_catalog.to_char(COALESCE(f.index_scans, 0), 'FM999,999,999,999,990')) AS detail,
       'pgmend advise looks for the indexes that would help the statements that read it.' AS remedy,
       pg_catalog.format('seq_scan_heavy:%I.%I', f.nspname, f.relname) AS ignore_key,
       f.rows_read AS impact,
       pg_catalog.jsonb_build_object(
		'rows', pg_catalog.round(f.rows),
		'sequential_scans', f.scans,
		'rows_read', f.rows_read,
		'rows_per_scan', pg_catalog.round(f.rows_read / f.part_scans),
		'index_scans', COALESCE(f.index_scans, 0),
		'statistics_days', pg_catalog.round(f.days::pg_catalog.numeric, 2)
       ) AS evidence
FROM figure AS f
UNION ALL
SELECT NULL, NULL, 'unknown', 'track_counts is off: nothing is counted',
       'ALTER SYSTEM SET track_counts = on;', NULL, 0, NULL
WHERE pg_catalog.current_setting('track_counts') <> 'on'
