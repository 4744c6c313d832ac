-- What keeps a statement from being executed to measure it: functions that may do more than read, and
-- foreign tables (reading one runs a statement on another server, where our timeouts do not hold).
--   $1 text[]  the schemas in which unqualified names are looked up, in order
--   $2 jsonb   [{"kind", "schema", "name"}]: what the statement names (see sql/effects.h)
-- Overloads are not resolved: one volatile function of that name is enough. Views, policies and rules are
-- looked through. Functions that PostgreSQL calls volatile but that leave nothing behind are let pass.
WITH RECURSIVE used AS (
	SELECT e.kind, e.schema, e.name
	FROM pg_catalog.jsonb_to_recordset($2::pg_catalog.jsonb) AS e (kind text, schema text, name text)
),
relation (oid) AS (
	SELECT c.oid
	FROM used AS u
	JOIN pg_catalog.pg_class AS c ON c.relname = u.name
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	WHERE u.kind = 'relation'
	  AND (n.nspname = u.schema OR u.schema IS NULL AND n.nspname = ANY ($1::pg_catalog.text[]))
	UNION
	SELECT below.oid
	FROM relation AS r
	CROSS JOIN LATERAL (
		SELECT m.found[1]::pg_catalog.oid AS oid
		FROM pg_catalog.pg_rewrite AS w
		CROSS JOIN LATERAL pg_catalog.regexp_matches(w.ev_action::pg_catalog.text,
			':relid ([0-9]+)', 'g') AS m (found)
		WHERE w.ev_class = r.oid AND w.ev_type = '1'
		UNION ALL
		SELECT h.inhrelid
		FROM pg_catalog.pg_inherits AS h
		WHERE h.inhparent = r.oid
	) AS below
),
expression (tree) AS (
	SELECT w.ev_action::pg_catalog.text
	FROM relation AS r
	JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = r.oid AND w.ev_type = '1'
	UNION ALL
	SELECT p.polqual::pg_catalog.text
	FROM relation AS r
	JOIN pg_catalog.pg_policy AS p ON p.polrelid = r.oid
),
called (oid) AS (
	SELECT p.oid
	FROM used AS u
	JOIN pg_catalog.pg_proc AS p ON p.proname = u.name
	JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
	WHERE u.kind = 'function'
	  AND (n.nspname = u.schema OR u.schema IS NULL AND n.nspname = ANY ($1::pg_catalog.text[]))
	UNION
	SELECT p.oid
	FROM used AS u
	JOIN pg_catalog.pg_proc AS p ON p.proname = u.name AND p.pronargs = 1
	JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
	JOIN pg_catalog.pg_type AS t ON t.oid = p.proargtypes[0] AND t.typtype = 'c'
	WHERE u.kind = 'field'
	  AND n.nspname = ANY ($1::pg_catalog.text[])
	UNION
	SELECT o.oprcode
	FROM used AS u
	JOIN pg_catalog.pg_operator AS o ON o.oprname = u.name
	JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace
	WHERE u.kind = 'operator'
	  AND (n.nspname = u.schema OR u.schema IS NULL AND n.nspname = ANY ($1::pg_catalog.text[]))
	UNION
	SELECT k.castfunc
	FROM used AS u
	JOIN pg_catalog.pg_type AS t ON t.typname = u.name
	JOIN pg_catalog.pg_cast AS k ON k.casttarget = t.oid
	WHERE u.kind = 'cast'
	UNION
	SELECT m.found[1]::pg_catalog.oid
	FROM expression AS e
	CROSS JOIN LATERAL pg_catalog.regexp_matches(e.tree,
		':(?:funcid|opfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') AS m (found)
),
run (oid) AS (
	SELECT oid FROM called
	UNION
	SELECT part.oid
	FROM called AS c
	JOIN pg_catalog.pg_aggregate AS a ON a.aggfnoid = c.oid
	CROSS JOIN LATERAL (VALUES (a.aggtransfn::pg_catalog.oid), (a.aggfinalfn::pg_catalog.oid)) AS part (oid)
)
SELECT 'function' AS kind,
       pg_catalog.format('%s%s', CASE WHEN n.nspname <> 'pg_catalog' THEN pg_catalog.quote_ident(n.nspname) || '.' END,
			 pg_catalog.quote_ident(p.proname)) AS name
FROM run
JOIN pg_catalog.pg_proc AS p ON p.oid = run.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
LEFT JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
	AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension AS x ON x.oid = d.refobjid
WHERE p.provolatile = 'v'
  AND NOT (n.nspname = 'pg_catalog' AND p.proname = ANY ('{random,random_normal,clock_timestamp,timeofday,
	gen_random_uuid,uuidv4,uuidv7,bernoulli,system,current_query,currval,lastval,pg_sleep,pg_sleep_for,pg_sleep_until,pg_relation_size,
	pg_table_size,pg_indexes_size,pg_total_relation_size,pg_database_size,pg_tablespace_size,
	pg_is_in_recovery,pg_current_wal_lsn,pg_current_wal_insert_lsn,pg_current_wal_flush_lsn,
	pg_last_wal_receive_lsn,pg_last_wal_replay_lsn,pg_last_xact_replay_timestamp}'::pg_catalog.name[]))
  AND NOT (x.extname = ANY ('{uuid-ossp,pgcrypto,tsm_system_rows,tsm_system_time}'::pg_catalog.name[])
	   AND x.extname IS NOT NULL)
UNION ALL
SELECT 'foreign table', pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM relation AS r
JOIN pg_catalog.pg_class AS c ON c.oid = r.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'f'
ORDER BY 1, 2
