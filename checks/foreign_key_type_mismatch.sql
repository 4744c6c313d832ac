-- id: foreign_key_type_mismatch
-- title: Foreign key of another type than its key
-- family: keys
-- severity: warning
-- versions: 13-
-- threshold: small_rows 10000 | a referencing table with fewer rows is only worth an info
-- threshold: full_share 0.5 | a warning where the referenced table has this share of the numbers that the narrower column holds
-- probe: period pg_constraint.conperiod ? c.conperiod : false
--
-- Where the column that refers is of another type than the one it refers to, PostgreSQL compares by a
-- conversion. Between integers that is harmless to indexes. Between others (integer and numeric, text and
-- char) the conversion stands on the referring column, and no index on it serves: each row deleted from the
-- referenced table reads the whole referencing one, although there is an index.
--
-- A narrower integer that refers to a wider one works until the referenced key grows beyond what it can hold:
-- then its inserts fail. Wider columns, and lengths of varchar, do no harm and are not reported.
WITH
fk AS MATERIALIZED (
	SELECT c.oid, c.conname, n.nspname, r.relname, pn.nspname AS parent_schema, p.relname AS parent_name,
	       ca.attname AS child_column, pa.attname AS parent_column, ca.atttypid AS child_type,
	       pa.atttypid AS parent_type, child.base AS child_base, parent.base AS parent_base, o.oprright,
	       GREATEST(r.reltuples, pg_catalog.pg_stat_get_live_tuples(r.oid), 0)::pg_catalog.float8 AS rows,
	       GREATEST(p.reltuples, pg_catalog.pg_stat_get_live_tuples(p.oid), 0)::pg_catalog.float8
			AS parent_rows
	FROM pg_catalog.pg_constraint AS c
	JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
	JOIN pg_catalog.pg_class AS p ON p.oid = c.confrelid
	JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
	CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(c.conkey), pg_catalog.unnest(c.confkey),
		pg_catalog.unnest(c.conpfeqop)) AS k (child, parent, operator)
	JOIN pg_catalog.pg_attribute AS ca ON ca.attrelid = c.conrelid AND ca.attnum = k.child
	JOIN pg_catalog.pg_attribute AS pa ON pa.attrelid = c.confrelid AND pa.attnum = k.parent
	JOIN pg_catalog.pg_operator AS o ON o.oid = k.operator
	CROSS JOIN LATERAL (
		SELECT COALESCE(NULLIF(t.typbasetype, 0), t.oid) AS base
		FROM pg_catalog.pg_type AS t
		WHERE t.oid = ca.atttypid
	) AS child
	CROSS JOIN LATERAL (
		SELECT COALESCE(NULLIF(t.typbasetype, 0), t.oid) AS base
		FROM pg_catalog.pg_type AS t
		WHERE t.oid = pa.atttypid
	) AS parent
	WHERE c.contype = 'f'
	AND c.conparentid = 0
	AND NOT :period
	AND ca.atttypid <> pa.atttypid
	AND r.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
),
judged AS (
	SELECT f.*,
	       CASE WHEN f.child_base IN (21, 23) AND f.parent_base IN (23, 20)
			AND f.child_base <> f.parent_base
		AND NOT (f.child_base = 23 AND f.parent_base = 21)
		THEN CASE f.child_base WHEN 21 THEN 32767 ELSE 2147483647 END::pg_catalog.float8 END AS holds,
	       f.oprright <> f.child_base
	       AND NOT EXISTS (
			SELECT FROM pg_catalog.pg_type AS t WHERE t.oid = f.oprright AND t.typtype = 'p')
	       AND NOT EXISTS (
			SELECT
			FROM pg_catalog.pg_cast AS x
			WHERE x.castsource = f.child_base AND x.casttarget = f.oprright
				AND x.castmethod = 'b')
		AS converted
	FROM fk AS f
)
SELECT j.nspname AS schema,
       pg_catalog.format('%I.%I', j.nspname, j.relname) AS object,
       CASE WHEN j.converted AND j.rows >= :small_rows::pg_catalog.float8 THEN 'warning'
	WHEN j.parent_rows >= :full_share::pg_catalog.float8 * j.holds THEN 'warning'
	ELSE 'info' END AS severity,
       pg_catalog.format('%I is of type %s, but the foreign key %I refers to %I.%I (%I) of type %s',
		j.child_column,
		pg_catalog.format_type(j.child_type, NULL), j.conname, j.parent_schema, j.parent_name,
			j.parent_column,
		pg_catalog.format_type(j.parent_type, NULL))
       || CASE WHEN j.converted THEN pg_catalog.format(': each row deleted there reads this whole table of'
		' about %s rows,'
	' whatever its indexes.', pg_catalog.to_char(j.rows, 'FM999,999,999,999,990'))
	ELSE pg_catalog.format(': keys beyond %s cannot be stored here; there are about %s so far.',
		pg_catalog.to_char(j.holds, 'FM999,999,999,999,990'),
		pg_catalog.to_char(j.parent_rows, 'FM999,999,999,999,990')) END AS detail,
       pg_catalog.format('Give %I the type %s: add a column of that type, keep it equal by a trigger, fill'
		' it in batches,'
	' then swap the names. ALTER COLUMN ... TYPE blocks the table while it is written anew.',
		j.child_column,
		pg_catalog.format_type(j.parent_type, NULL)) AS remedy,
       pg_catalog.format('foreign_key_type_mismatch:%I.%I:%I:%I', j.nspname, j.relname, j.conname,
		j.child_column)
		AS ignore_key,
       j.rows AS impact,
       pg_catalog.jsonb_build_object(
		'constraint', j.conname,
		'column', j.child_column,
		'type', pg_catalog.format_type(j.child_type, NULL),
		'referenced_type', pg_catalog.format_type(j.parent_type, NULL),
		'index_usable', NOT j.converted,
		'rows', pg_catalog.round(j.rows),
		'referenced_rows', pg_catalog.round(j.parent_rows)
       ) AS evidence
FROM judged AS j
WHERE j.converted OR j.holds IS NOT NULL
