-- id: connection_use
-- title: Connections nearly used up
-- family: sessions
-- severity: warning
-- versions: 13-
-- threshold: warn 0.8 | a warning from this share of the connections on
-- threshold: critical 0.95 | critical from this share on
--
-- Sessions against what the server admits: max_connections less what is reserved for superusers, and the
-- limits of this database and of roles. When none is left, programs get errors.
WITH
session AS MATERIALIZED (
	SELECT a.datname, a.usename, a.state
	FROM pg_catalog.pg_stat_activity AS a
	WHERE COALESCE(a.backend_type, 'client backend') = 'client backend'
	AND a.datname IS NOT NULL
	AND a.pid <> pg_catalog.pg_backend_pid()
	AND a.application_name <> 'pgmend'
),
bound AS (
	SELECT 'server' AS kind, 'server'::pg_catalog.text AS name,
	       (SELECT pg_catalog.sum(CASE WHEN s.name = 'max_connections' THEN s.setting::pg_catalog.int4
			ELSE -s.setting::pg_catalog.int4 END)
		FROM pg_catalog.pg_settings AS s
		-- the third since 16
		WHERE s.name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections'))
			::pg_catalog.float8 AS most,
	       pg_catalog.count(*) AS used, pg_catalog.count(*) FILTER (WHERE s.state = 'idle') AS idle
	FROM session AS s
	UNION ALL
	SELECT 'database', pg_catalog.format('database %I', d.datname), d.datconnlimit,
		pg_catalog.count(s.datname),
	       pg_catalog.count(*) FILTER (WHERE s.state = 'idle')
	FROM pg_catalog.pg_database AS d
	LEFT JOIN session AS s ON s.datname = d.datname
	WHERE d.datname = pg_catalog.current_database()
	AND d.datconnlimit > 0
	GROUP BY d.datname, d.datconnlimit
	UNION ALL
	SELECT 'role', pg_catalog.format('role %I', r.rolname), r.rolconnlimit, pg_catalog.count(s.usename),
	       pg_catalog.count(*) FILTER (WHERE s.state = 'idle')
	FROM pg_catalog.pg_roles AS r
	JOIN session AS s ON s.usename = r.rolname
	WHERE r.rolconnlimit > 0
	AND NOT r.rolsuper
	GROUP BY r.rolname, r.rolconnlimit
)
SELECT NULL AS schema,
       b.name AS object,
       CASE WHEN b.used / b.most >= :critical::pg_catalog.float8 THEN 'critical' ELSE 'warning' END
	AS severity,
       pg_catalog.format('%s of %s connections are in use (%s %%), %s of them idle.', b.used, b.most,
		pg_catalog.round((b.used / b.most * 100)::pg_catalog.numeric), b.idle) AS detail,
       CASE b.kind WHEN 'server' THEN 'Put a pooler in front (PgBouncer, or the pools of the programs'
	' made smaller);'
		' a larger max_connections takes a restart and memory.'
       ELSE 'Make the pools of its programs smaller, or raise its CONNECTION LIMIT.' END AS remedy,
       pg_catalog.format('connection_use:%s', b.name) AS ignore_key,
       b.used / b.most AS impact,
       pg_catalog.jsonb_build_object('used', b.used, 'most', b.most, 'idle', b.idle) AS evidence
FROM bound AS b
WHERE b.most > 0
AND b.used / b.most >= :warn::pg_catalog.float8
