-- id: partitions_missing_ahead
-- title: No partition for the time to come
-- family: tables
-- severity: warning
-- versions: 13-
-- threshold: min_ahead_days 7 | time that the partitions must reach ahead, or the length of the last one where that is shorter
-- threshold: forgotten_days 90 | a table whose last partition ended longer ago and that nothing is written to is left out
--
-- A table that is partitioned by time needs the next partition before its first row comes. Without one an
-- INSERT fails, or, where there is a DEFAULT partition, its rows pile up there and make the missing partition
-- expensive to add.
--
-- Looked at are tables with RANGE partitions whose first key is a plain column of type date, timestamp or
-- timestamptz. Where the last partition ends with MAXVALUE or infinity there is none missing.
WITH RECURSIVE
tab AS MATERIALIZED (
	SELECT c.oid AS relid, n.nspname, c.relname, t.typname, a.attname, p.partdefid, p.partnatts
	FROM pg_catalog.pg_partitioned_table AS p
	JOIN pg_catalog.pg_class AS c ON c.oid = p.partrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0] AND a.attnum > 0
	JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid AND t.typnamespace = 11
	WHERE p.partstrat = 'r'
	AND t.typname IN ('date', 'timestamp', 'timestamptz')
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
),
-- without a relation, to which a bound does not refer, pg_get_expr() opens none
bound AS MATERIALIZED (
	SELECT t.relid, i.inhrelid,
	       pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, 0),
			'^FOR VALUES FROM \((MINVALUE|MAXVALUE|''[^'']*'').*\) TO'
				' \((MINVALUE|MAXVALUE|''[^'']*'')')
			AS parts
	FROM tab AS t
	JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.relid
	JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
	WHERE c.oid <> t.partdefid
),
edge AS MATERIALIZED (
	SELECT b.relid, b.inhrelid,
	       CASE WHEN b.parts[1] LIKE '''%' THEN pg_catalog.btrim(b.parts[1], '''')::pg_catalog.timestamptz
	       ELSE '-infinity' END AS lower,
	       CASE WHEN b.parts[2] LIKE '''%' THEN pg_catalog.btrim(b.parts[2], '''')::pg_catalog.timestamptz
	       ELSE 'infinity' END AS upper
	FROM bound AS b
	WHERE b.parts IS NOT NULL
),
last AS (
	SELECT DISTINCT ON (e.relid) e.*
	FROM edge AS e
	ORDER BY e.relid, e.upper DESC, e.lower DESC
),
tree AS (
	SELECT t.relid AS root, t.relid
	FROM tab AS t
	UNION ALL
	SELECT t.root, i.inhrelid
	FROM tree AS t
	JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.relid
),
writes AS (
	SELECT t.root, pg_catalog.sum(pg_catalog.pg_stat_get_tuples_inserted(t.relid)) AS inserted
	FROM tree AS t
	GROUP BY t.root
),
figure AS (
	SELECT t.*, l.lower, l.upper, w.inserted, lc.relname AS last_name, l.upper - pg_catalog.now()
		AS ahead,
	       l.upper <= pg_catalog.now() AS past,
	       CASE WHEN l.lower > '-infinity' THEN
		-- in months where both ends are that, so that the next one is as long
		CASE WHEN l.lower + step.months = l.upper AND step.months > '0'::pg_catalog.interval
			THEN step.months
		ELSE l.upper - l.lower END
	       END AS width
	FROM tab AS t
	JOIN last AS l ON l.relid = t.relid
	JOIN writes AS w ON w.root = t.relid
	JOIN pg_catalog.pg_class AS lc ON lc.oid = l.inhrelid
	CROSS JOIN LATERAL (
		SELECT CASE WHEN l.lower > '-infinity' AND l.upper < 'infinity' THEN
			pg_catalog.date_trunc('month', pg_catalog.age(l.upper, l.lower)) END AS months
	) AS step
	WHERE l.upper < 'infinity'
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.relname) AS object,
       CASE WHEN f.past AND f.partdefid = 0 AND f.inserted > 0 THEN 'critical' ELSE 'warning' END AS severity,
       CASE WHEN f.past THEN pg_catalog.format('The last partition, %I, ended with %s: ', f.last_name,
		f.upper)
       ELSE pg_catalog.format('The last partition, %I, ends with %s, in %s: then ', f.last_name, f.upper,
		pg_catalog.date_trunc('minute', f.ahead)) END
       || CASE WHEN f.partdefid <> 0 THEN 'rows of a later time go to the DEFAULT partition.'
	ELSE 'an INSERT of a later time fails.' END AS detail,
       CASE WHEN f.width IS NULL OR f.partnatts > 1 THEN 'Create the next partitions now.'
       ELSE pg_catalog.format(E'CREATE TABLE %I.%I (LIKE %I.%I INCLUDING ALL);\n'
		'ALTER TABLE %I.%I ATTACH PARTITION %I.%I FOR VALUES FROM (%L) TO (%L);%s',
		f.nspname, next.name, f.nspname, f.relname, f.nspname, f.relname, f.nspname, next.name,
		edges.lower, edges.upper,
		CASE WHEN f.partdefid <> 0 THEN E'\n-- ATTACH reads the DEFAULT partition: first move such'
			' rows away'
		ELSE '' END) END AS remedy,
       pg_catalog.format('partitions_missing_ahead:%I.%I', f.nspname, f.relname) AS ignore_key,
       -pg_catalog.date_part('epoch', f.ahead) AS impact,
       pg_catalog.jsonb_build_object(
		'key', f.attname,
		'last_partition', f.last_name,
		'ends_at', f.upper,
		'last_partition_length', f.width,
		'has_default', f.partdefid <> 0,
		'rows_inserted', f.inserted
       ) AS evidence
FROM figure AS f
CROSS JOIN LATERAL (
	SELECT CASE f.typname WHEN 'date' THEN f.upper::pg_catalog.date::pg_catalog.text
		WHEN 'timestamp' THEN f.upper::pg_catalog.timestamp::pg_catalog.text
		ELSE f.upper::pg_catalog.text END AS lower,
	       CASE f.typname WHEN 'date' THEN (f.upper + f.width)::pg_catalog.date::pg_catalog.text
		WHEN 'timestamp' THEN (f.upper + f.width)::pg_catalog.timestamp::pg_catalog.text
		ELSE (f.upper + f.width)::pg_catalog.text END AS upper
) AS edges
CROSS JOIN LATERAL (
	SELECT pg_catalog.left(f.relname::pg_catalog.text, 40) || pg_catalog.to_char(f.upper, CASE
		WHEN f.width < '1 day'::pg_catalog.interval THEN '_YYYYMMDD_HH24MI'
		ELSE '_YYYYMMDD' END) AS name
) AS next
WHERE f.ahead < LEAST(:min_ahead_days::pg_catalog.float8 * '1 day'::pg_catalog.interval, f.width)
AND (f.inserted > 0
	OR f.ahead > -:forgotten_days::pg_catalog.float8 * '1 day'::pg_catalog.interval)
