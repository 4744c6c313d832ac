-- id: invalid_constraint
-- title: Constraint that was never validated
-- family: keys
-- severity: info
-- versions: 13-
-- threshold: min_rows 0 | a table with fewer rows is not reported
-- probe: enforced pg_constraint.conenforced ? c.conenforced : true
--
-- A constraint that was added as NOT VALID holds for new rows only. Old ones may break it, and the planner
-- does not rely on it. To add it so and validate it later is right; the second step is often forgotten.
--
-- VALIDATE CONSTRAINT reads the table once, while reads and writes go on. It fails where a row breaks the
-- constraint: that is why no Plan does it unasked. Constraints that are NOT ENFORCED are meant so and left
-- out.
WITH
con AS (
	SELECT c.conname, c.contype, n.nspname, r.relname, c.conrelid,
	       GREATEST(r.reltuples, pg_catalog.pg_stat_get_live_tuples(r.oid), 0)::pg_catalog.float8 AS rows,
	       r.relpages * pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes
	FROM pg_catalog.pg_constraint AS c
	JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
	WHERE NOT c.convalidated
	AND :enforced
	AND c.conparentid = 0
	AND c.conislocal
	AND r.relkind IN ('r', 'p')
	AND r.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_depend AS d
		WHERE d.classid = 1259 AND d.objid = r.oid AND d.deptype = 'e')
)
SELECT c.nspname AS schema,
       pg_catalog.format('%I.%I', c.nspname, c.relname) AS object,
       'info' AS severity,
       pg_catalog.format('The %s %I is NOT VALID: rows that were there before it (of about %s, %s) may break'
		' it.',
		CASE c.contype WHEN 'f' THEN 'foreign key' WHEN 'c' THEN 'check constraint' WHEN 'n'
			THEN 'not-null constraint'
		ELSE 'constraint' END, c.conname, pg_catalog.to_char(c.rows, 'FM999,999,999,999,990'),
		pg_catalog.pg_size_pretty(c.bytes::pg_catalog.int8)) AS detail,
       pg_catalog.format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I;', c.nspname, c.relname, c.conname)
		AS remedy,
       pg_catalog.format('invalid_constraint:%I.%I:%I', c.nspname, c.relname, c.conname) AS ignore_key,
       c.rows AS impact,
       pg_catalog.jsonb_build_object(
		'constraint', c.conname,
		'rows', pg_catalog.round(c.rows),
		'size_bytes', c.bytes::pg_catalog.int8
       ) AS evidence
FROM con AS c
WHERE c.rows >= :min_rows::pg_catalog.float8
