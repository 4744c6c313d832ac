-- id: sequence_exhaustion
-- title: Sequence near its end
-- family: keys
-- severity: warning
-- versions: 13-
-- threshold: warning_share 0.75 | a warning from this share of the numbers on
-- threshold: critical_share 0.9 | critical from this share on
-- threshold: max_opened 500 | at most so many sequences are looked into, those with most rows in their tables first
--
-- When a sequence has given its last number, or one that its column cannot hold, every INSERT that needs
-- another one fails. To widen the column then writes the whole table anew while nobody can use it.
--
-- The end is the sequence's own or that of the column's type, whichever comes first: of a sequence that
-- belongs to a column (serial, identity) and of one that a column's default draws from. Sequences that may
-- CYCLE, and those of 64 bits that reach for a million years, are left out.
--
-- The last number stands in the sequence itself, nowhere else: each one is read under ACCESS SHARE, as a
-- SELECT does. That is bounded in number. Where it may not be read, or is locked (by TRUNCATE ... RESTART
-- IDENTITY or DROP, say), the largest value that the last ANALYZE saw in the column takes its place.
WITH
seq AS MATERIALIZED (
	SELECT s.seqrelid, n.nspname, c.relname, c.relowner, s.seqincrement, s.seqstart,
		s.seqmax::pg_catalog.float8,
	       s.seqmin::pg_catalog.float8,
	       -- the schema first: has_sequence_privilege() does not look at it
	       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
	       AND pg_catalog.has_sequence_privilege(s.seqrelid, 'SELECT') AS readable
	FROM pg_catalog.pg_sequence AS s
	JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	WHERE NOT s.seqcycle
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
),
feeds AS MATERIALIZED (
	SELECT d.objid AS seqrelid, d.refobjid AS relid, d.refobjsubid AS attnum
	FROM seq AS s
	JOIN pg_catalog.pg_depend AS d ON d.classid = 1259 AND d.objid = s.seqrelid
	WHERE d.refclassid = 1259 AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
	UNION
	SELECT d.refobjid, f.adrelid, f.adnum
	FROM seq AS s
	JOIN pg_catalog.pg_depend AS d ON d.refclassid = 1259 AND d.refobjid = s.seqrelid
	JOIN pg_catalog.pg_attrdef AS f ON f.oid = d.objid
	WHERE d.classid = 2604
),
used AS (
	SELECT s.*, t.oid AS relid, tn.nspname AS table_schema, t.relname AS table_name, a.attname, a.attnum,
	       pg_catalog.format_type(a.atttypid, NULL) AS type,
	       GREATEST(t.reltuples, pg_catalog.pg_stat_get_live_tuples(t.oid), 0)::pg_catalog.float8 AS rows,
	       pg_catalog.pg_stat_get_tuples_inserted(t.oid) AS inserted,
	       CASE WHEN s.seqincrement > 0 THEN LEAST(s.seqmax, size.most) ELSE GREATEST(s.seqmin,
			-size.most) END AS last
	FROM seq AS s
	LEFT JOIN feeds AS f ON f.seqrelid = s.seqrelid
	LEFT JOIN pg_catalog.pg_class AS t ON t.oid = f.relid
	LEFT JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
	LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.relid AND a.attnum = f.attnum
	CROSS JOIN LATERAL (
		SELECT CASE a.atttypid WHEN 21 THEN 32767 WHEN 23 THEN 2147483647 ELSE 9223372036854775807 END
			::pg_catalog.float8 AS most
	) AS size
),
-- the column that ends first
tightest AS MATERIALIZED (
	SELECT DISTINCT ON (u.seqrelid) u.*
	FROM used AS u
	ORDER BY u.seqrelid, pg_catalog.abs(u.last), u.relid
),
candidate AS MATERIALIZED (
	SELECT t.*, CASE WHEN t.last <> 0 THEN v.seen / t.last END AS seen_share, v.seen,
	       pg_catalog.row_number() OVER (
			ORDER BY t.readable DESC, GREATEST(t.rows,
				v.seen) / pg_catalog.abs(t.last) DESC NULLS FIRST,
				t.seqrelid) AS place
	FROM tightest AS t
	LEFT JOIN LATERAL (
		SELECT CASE WHEN p.histogram_bounds IS NOT NULL THEN (
				SELECT pg_catalog.max(b::pg_catalog.float8)
				FROM pg_catalog.unnest(p.histogram_bounds::pg_catalog.text
					::pg_catalog.text[]) AS b)
			END AS seen
		FROM pg_catalog.pg_stats AS p
		WHERE p.schemaname = t.table_schema AND p.tablename = t.table_name AND p.attname = t.attname
		AND t.type IN ('smallint', 'integer', 'bigint') AND t.seqincrement > 0
		ORDER BY p.inherited DESC
		LIMIT 1
	) AS v ON true
	WHERE pg_catalog.abs(t.last) < 1e15 AND t.last <> 0
),
-- one that another session has locked would hold up all others
locked AS MATERIALIZED (
	SELECT l.relation
	FROM pg_catalog.pg_locks AS l
	WHERE l.locktype = 'relation'
	AND l.mode = 'AccessExclusiveLock'
	AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
		WHERE d.datname = pg_catalog.current_database())
),
opened AS MATERIALIZED (
	SELECT c.*, c.seqrelid IN (SELECT l.relation FROM locked AS l) AS locked,
	       CASE WHEN c.readable AND c.place <= :max_opened::pg_catalog.float8
		AND c.seqrelid NOT IN (SELECT l.relation FROM locked AS l) THEN
		pg_catalog.substring(pg_catalog.query_to_xml(pg_catalog.format(
			'SELECT last_value FROM %I.%I WHERE is_called', c.nspname, c.relname), false,
				false, '')
			::pg_catalog.text, '<last_value>(-?\d+)<')::pg_catalog.float8 END AS value
	FROM candidate AS c
),
figure AS (
	SELECT o.*, COALESCE(o.value, o.seen) AS current, COALESCE(o.value, o.seen) / o.last AS share,
	       pg_catalog.date_part('epoch', pg_catalog.now() - COALESCE(
			(SELECT pg_catalog.pg_stat_get_db_stat_reset_time(d.oid)
			 FROM pg_catalog.pg_database AS d
			 WHERE d.datname = pg_catalog.current_database()),
			pg_catalog.pg_postmaster_start_time())) / 86400 AS days
	FROM opened AS o
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.relname) AS object,
       CASE WHEN f.share >= :critical_share::pg_catalog.float8 THEN 'critical' ELSE 'warning' END AS severity,
       pg_catalog.format('%s of %s numbers are used (%s %%)',
		pg_catalog.to_char(f.current, 'FM9,999,999,999,999,990'),
		pg_catalog.to_char(f.last, 'FM9,999,999,999,999,990'),
		pg_catalog.round((f.share * 100)::pg_catalog.numeric, 1))
       || CASE WHEN f.relid IS NULL THEN '.'
	ELSE pg_catalog.format('; it fills %I of %I.%I, of type %s.', f.attname, f.table_schema,
		f.table_name, f.type) END
       || CASE WHEN f.days >= 1 AND f.inserted > 0 AND f.seqincrement > 0 THEN pg_catalog.format(
		' At the pace of the last %s days it ends in %s days.',
			pg_catalog.round(f.days::pg_catalog.numeric),
		pg_catalog.to_char((f.last - f.current) / f.seqincrement / (f.inserted / f.days),
			'FM9,999,999,999,990'))
	ELSE '' END
       || CASE WHEN f.value IS NULL THEN ' The number is the largest that the last ANALYZE saw.' ELSE '' END
		AS detail,
       CASE WHEN f.relid IS NULL OR pg_catalog.abs(f.last) < CASE f.type WHEN 'smallint' THEN 32767
		WHEN 'integer' THEN 2147483647 ELSE 9e18 END
	THEN pg_catalog.format('ALTER SEQUENCE %I.%I AS bigint MAXVALUE 9223372036854775807;', f.nspname,
		f.relname)
	ELSE pg_catalog.format('Widen %I of %I.%I, and the foreign keys to it, to bigint: add a bigint'
		' column, keep it equal'
		' by a trigger, fill it in batches, then swap the names. ALTER COLUMN ... TYPE bigint blocks'
			' the table'
		' while it is written anew.', f.attname, f.table_schema, f.table_name) END AS remedy,
       pg_catalog.format('sequence_exhaustion:%I.%I', f.nspname, f.relname) AS ignore_key,
       f.share AS impact,
       pg_catalog.jsonb_build_object(
		'table', CASE WHEN f.relid IS NOT NULL THEN pg_catalog.format('%I.%I', f.table_schema,
			f.table_name) END,
		'column', f.attname,
		'column_type', f.type,
		'last_value', f.current::pg_catalog.numeric,
		'limit', f.last::pg_catalog.numeric,
		'used_share', pg_catalog.round(f.share::pg_catalog.numeric, 4),
		'value_from', CASE WHEN f.value IS NULL THEN 'pg_stats of the last ANALYZE'
			ELSE 'the sequence' END
       ) AS evidence
FROM figure AS f
WHERE f.share >= :warning_share::pg_catalog.float8
UNION ALL
SELECT NULL, NULL, 'unknown',
       pg_catalog.format('%s sequence(s) may not be read', pg_catalog.count(*)),
       pg_catalog.format(CASE WHEN EXISTS (
			SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'pg_read_all_data')
		THEN 'GRANT pg_read_all_data TO %I;' ELSE 'GRANT SELECT ON ALL SEQUENCES IN SCHEMA ... TO'
			' %I;' END,
		CURRENT_USER),
       NULL, 0, NULL
FROM figure AS f
WHERE NOT f.readable AND f.seen IS NULL
HAVING pg_catalog.count(*) > 0
UNION ALL
SELECT NULL, NULL, 'unknown',
       pg_catalog.format('%s sequence(s) are locked by another session', pg_catalog.count(*)),
       'Run it again when that session has ended.',
       NULL, 0, NULL
FROM figure AS f
WHERE f.readable AND f.locked AND f.seen IS NULL
AND f.place <= :max_opened::pg_catalog.float8
HAVING pg_catalog.count(*) > 0
UNION ALL
-- of those that were not looked into, only what could be near its end matters
SELECT NULL, NULL, 'unknown',
       pg_catalog.format('%s more sequence(s) were not looked into', pg_catalog.count(*)),
       'Raise --threshold sequence_exhaustion.max_opened=N; each takes one lock until the end of the run.',
       NULL, 0, NULL
FROM figure AS f
WHERE f.readable AND f.place > :max_opened::pg_catalog.float8
AND GREATEST(f.rows, f.seen) >= pg_catalog.abs(f.last) / 100
HAVING pg_catalog.count(*) > 0
