-- id: xid_wraparound
-- title: Transaction ids near wraparound
-- family: wraparound
-- severity: warning
-- versions: 13-
-- threshold: warning_age 858993459 | a warning from this age on: two fifths of what there is
-- threshold: over_factor 1.5 | or at so many times autovacuum_freeze_max_age, where autovacuum is losing
-- threshold: critical_age 1500000000 | critical from this age on
-- threshold: top 20 | at most so many tables are reported, the oldest first
--
-- Each row says which transaction made it, by a number of 32 bits that is used again. Before that, VACUUM
-- must have marked old rows as frozen. Where a table stays behind by two thousand million transactions, the
-- server takes no more writes until it is vacuumed.
--
-- autovacuum freezes a table at autovacuum_freeze_max_age, even where it is switched off; an age around that
-- is normal. Far beyond it, autovacuum does not get through: it is too slow, is cancelled by locks, cannot
-- read a broken table, or something holds old snapshots (xmin_horizon). All databases of the server are
-- looked at, and the tables of this one with their TOAST, system catalogs and temporary tables too.
WITH
setting AS MATERIALIZED (
	SELECT pg_catalog.current_setting('autovacuum_freeze_max_age')::pg_catalog.float8 AS most,
	       pg_catalog.current_setting('vacuum_failsafe_age', true)::pg_catalog.float8 AS failsafe,
	       LEAST(:warning_age::pg_catalog.float8, :over_factor::pg_catalog.float8
			* pg_catalog.current_setting('autovacuum_freeze_max_age')::pg_catalog.float8) AS warn
),
tab AS (
	SELECT n.nspname, c.relname, c.relkind, c.relpersistence, GREATEST(pg_catalog.age(c.relfrozenxid),
			CASE WHEN t.relfrozenxid <> '0' THEN pg_catalog.age(t.relfrozenxid)
				END)::pg_catalog.float8 AS age,
	       (c.relpages + COALESCE(t.relpages, 0))
		* pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	LEFT JOIN pg_catalog.pg_class AS t ON t.oid = c.reltoastrelid
	WHERE c.relkind IN ('r', 'm')
	AND c.relfrozenxid <> '0'
),
oldest AS (
	SELECT t.*
	FROM tab AS t
	CROSS JOIN setting AS s
	WHERE t.age >= LEAST(s.warn, :critical_age::pg_catalog.float8)
	ORDER BY t.age DESC, t.nspname, t.relname
	LIMIT :top::pg_catalog.int8
),
found AS (
	SELECT NULL::pg_catalog.name AS nspname, pg_catalog.format('database %I', d.datname) AS object,
	       pg_catalog.format('xid_wraparound:database:%I', d.datname) AS ignore_key,
	       pg_catalog.age(d.datfrozenxid)::pg_catalog.float8 AS age, NULL::pg_catalog.float8 AS bytes,
	       CASE WHEN d.datname = pg_catalog.current_database()
			THEN 'VACUUM (FREEZE) its oldest tables, in a time of'
		' little load.'
	       WHEN NOT d.datallowconn THEN 'Only autovacuum can reach it: see that its workers come'
			' (xmin_horizon).'
	       ELSE pg_catalog.format('Run pgmend check on the database %I.', d.datname) END AS remedy,
	       false AS temporary
	FROM pg_catalog.pg_database AS d
	UNION ALL
	SELECT o.nspname, pg_catalog.format('%I.%I', o.nspname, o.relname),
	       pg_catalog.format('xid_wraparound:%I.%I', o.nspname, o.relname), o.age, o.bytes,
	       CASE WHEN o.relpersistence = 't' THEN 'End the session that it belongs to; no other one can'
			' vacuum it.'
	       ELSE pg_catalog.format('VACUUM (FREEZE) %I.%I;', o.nspname, o.relname) END,
	       o.relpersistence = 't'
	FROM oldest AS o
)
SELECT f.nspname AS schema,
       f.object,
       CASE WHEN f.age >= :critical_age::pg_catalog.float8 THEN 'critical' ELSE 'warning' END AS severity,
       pg_catalog.format('%s transactions behind%s: %s %% of the way to where the server stops all writes.'
	' autovacuum should have frozen it at %s.', pg_catalog.to_char(f.age, 'FM999,999,999,990'),
		CASE WHEN f.bytes IS NULL THEN ''
		ELSE pg_catalog.format(', with %s', pg_catalog.pg_size_pretty(f.bytes::pg_catalog.int8)) END,
		pg_catalog.round((f.age / 2147483648 * 100)::pg_catalog.numeric),
		pg_catalog.to_char(s.most, 'FM999,999,999,990'))
       || CASE WHEN f.temporary THEN ' It is a temporary table, which autovacuum leaves alone.' ELSE '' END
       || CASE WHEN f.age >= s.failsafe THEN ' It is past vacuum_failsafe_age: vacuum now skips indexes to'
		' be in time.' ELSE '' END
		AS detail,
       f.remedy,
       f.ignore_key,
       f.age AS impact,
       pg_catalog.jsonb_build_object(
		'age', f.age,
		'autovacuum_freeze_max_age', s.most,
		'vacuum_failsafe_age', s.failsafe,
		'left', 2147483648 - f.age,
		'size_bytes', f.bytes::pg_catalog.int8
       ) AS evidence
FROM found AS f
CROSS JOIN setting AS s
WHERE f.age >= LEAST(s.warn, :critical_age::pg_catalog.float8)
