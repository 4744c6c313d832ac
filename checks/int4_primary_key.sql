-- id: int4_primary_key
-- title: Primary key near the end of its type
-- family: keys
-- severity: warning
-- versions: 13-
-- threshold: warning_share 0.75 | a warning from this share of the type's range on
-- threshold: critical_share 0.9 | critical from this share on
--
-- A primary key of type integer ends at 2,147,483,647, one of smallint at 32,767. The next INSERT fails, and
-- to widen a column of so large a table blocks it for hours.
--
-- Judged by the largest value of the key's first column in the statistics of the last ANALYZE, which comes
-- close to the real one where it is spread evenly. Keys that a sequence fills are left to
-- sequence_exhaustion, which knows the exact number.
WITH RECURSIVE
fed AS MATERIALIZED (
	SELECT d.refobjid AS relid, d.refobjsubid AS attnum
	FROM pg_catalog.pg_depend AS d
	JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = d.objid
	WHERE d.classid = 1259 AND d.refclassid = 1259 AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
	UNION
	SELECT f.adrelid, f.adnum
	FROM pg_catalog.pg_depend AS d
	JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = d.refobjid
	JOIN pg_catalog.pg_attrdef AS f ON f.oid = d.objid
	WHERE d.classid = 2604 AND d.refclassid = 1259
),
pk AS MATERIALIZED (
	SELECT c.oid AS relid, n.nspname, c.relname, c.relkind, a.attname, a.attnum, a.atttypid,
	       CASE a.atttypid WHEN 21 THEN 32767 ELSE 2147483647 END::pg_catalog.float8 AS last
	FROM pg_catalog.pg_index AS i
	JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
	WHERE i.indisprimary
	AND NOT c.relispartition
	AND a.atttypid IN (21, 23)
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND NOT EXISTS (SELECT FROM fed AS f WHERE f.relid = c.oid AND f.attnum = a.attnum)
	AND NOT EXISTS (
		-- a key that is another table's ends where that does
		SELECT
		FROM pg_catalog.pg_constraint AS k
		WHERE k.contype = 'f' AND k.conrelid = c.oid AND a.attnum = ANY (k.conkey))
),
tree AS (
	SELECT p.relid AS root, p.relid
	FROM pk AS p
	UNION ALL
	SELECT t.root, i.inhrelid
	FROM tree AS t
	JOIN pg_catalog.pg_class AS c ON c.oid = t.relid AND c.relkind = 'p'
	JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.relid
),
part AS (
	SELECT p.*, c.reltuples, s.histogram_bounds::pg_catalog.text AS bounds,
	       CASE WHEN c.relkind IN ('r', 'm') AND c.reltuples > 0
	       THEN NOT pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') END AS hidden
	FROM tree AS t
	JOIN pk AS p ON p.relid = t.root
	JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = p.attname
	-- OFFSET: looked up one by one, never all of them joined
	LEFT JOIN LATERAL (
		SELECT v.histogram_bounds
		FROM pg_catalog.pg_stats AS v
		WHERE v.schemaname = n.nspname AND v.tablename = c.relname AND v.attname = a.attname
		-- what has no rows, or was never analyzed, need not be looked up: that is most of many partitions
		AND (c.relkind <> 'r' OR c.reltuples > 0)
		OFFSET 0
	) AS s ON true
),
total AS MATERIALIZED (
	SELECT p.relid, p.nspname, p.relname, p.attname, p.atttypid, p.last,
	       pg_catalog.sum(GREATEST(p.reltuples, 0)) AS rows, pg_catalog.bool_or(p.hidden) AS hidden,
	       -- the bounds are sorted: the last is the largest
	       pg_catalog.max(pg_catalog.substring(p.bounds, '(-?\d+)}$')::pg_catalog.float8) AS seen
	FROM part AS p
	GROUP BY p.relid, p.nspname, p.relname, p.attname, p.atttypid, p.last
)
SELECT t.nspname AS schema,
       pg_catalog.format('%I.%I', t.nspname, t.relname) AS object,
       CASE WHEN t.seen / t.last >= :critical_share::pg_catalog.float8 THEN 'critical' ELSE 'warning' END
		AS severity,
       pg_catalog.format('%I, the primary key, is of type %s and has come to %s of %s (%s %%).', t.attname,
		pg_catalog.format_type(t.atttypid, NULL), pg_catalog.to_char(t.seen, 'FM999,999,999,990'),
		pg_catalog.to_char(t.last, 'FM999,999,999,990'),
		pg_catalog.round((100 * t.seen / t.last)::pg_catalog.numeric, 1)) AS detail,
       pg_catalog.format('Widen it, and the foreign keys to it, to bigint: add a bigint column, keep it'
		' equal by a trigger,'
	' fill it in batches, then swap the names. ALTER COLUMN ... TYPE bigint blocks the table while it is'
		' written'
	' anew.') AS remedy,
       pg_catalog.format('int4_primary_key:%I.%I', t.nspname, t.relname) AS ignore_key,
       t.seen / t.last AS impact,
       pg_catalog.jsonb_build_object(
		'column', t.attname,
		'column_type', pg_catalog.format_type(t.atttypid, NULL),
		'largest_seen', t.seen,
		'limit', t.last,
		'rows', t.rows,
		'value_from', 'pg_stats of the last ANALYZE'
       ) AS evidence
FROM total AS t
WHERE t.seen / t.last >= :warning_share::pg_catalog.float8
UNION ALL
SELECT NULL, NULL, 'unknown',
       pg_catalog.format('the keys of %s table(s) may not be read, so their statistics are hidden',
		pg_catalog.count(*)),
       pg_catalog.format(CASE WHEN EXISTS (
			SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'pg_read_all_data')
		THEN 'GRANT pg_read_all_data TO %I;' ELSE 'GRANT SELECT ON ALL TABLES IN SCHEMA ... TO %I;'
			END,
		CURRENT_USER),
       NULL, 0, NULL
FROM total AS t
WHERE t.hidden AND t.seen IS NULL AND t.rows > 0
HAVING pg_catalog.count(*) > 0
