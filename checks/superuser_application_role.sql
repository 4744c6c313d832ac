-- id: superuser_application_role
-- title: Application that connects as superuser
-- family: security
-- severity: warning
-- versions: 13-
--
-- Sessions of this database whose role is a superuser, and that do not look like an administrator's. A hole
-- in such a program is a hole in the machine: a superuser reads and writes files, and runs programs. It also
-- takes the connections that are reserved for the day when nothing works.
--
-- Left out are sessions whose application_name is that of a known tool (psql, pg_dump, pgAdmin, DBeaver,
-- exporters, backup tools and the like) or of pgmend. The name is the program's own word, and only sessions
-- of this moment are seen.
WITH
session AS MATERIALIZED (
	SELECT a.usename, a.application_name, a.client_addr,
	       pg_catalog.count(*) AS sessions
	FROM pg_catalog.pg_stat_activity AS a
	JOIN pg_catalog.pg_roles AS r ON r.oid = a.usesysid
	WHERE a.datname = pg_catalog.current_database()
	AND a.pid <> pg_catalog.pg_backend_pid()
	AND r.rolsuper
	AND COALESCE(a.backend_type, 'client backend') = 'client backend'
	AND a.application_name <> 'pgmend'
	AND a.application_name !~* ('^(psql|pg_|pgadmin|dbeaver|datagrip|tableplus|postico|navicat|beekeeper'
		'|vacuumdb|reindexdb|clusterdb|createdb|pgbackrest|barman|wal-g|patroni|repmgr|pgwatch'
		'|heidisql|pganalyze|pghero|postgres_exporter|prometheus|datadog|zabbix|telegraf'
		'|check_postgres|pgmetrics|pgcenter|temboard|rdsadmin|azure|cloudsql)')
	GROUP BY a.usename, a.application_name, a.client_addr
)
SELECT NULL AS schema,
       pg_catalog.format('role %I', s.usename) AS object,
       NULL AS severity,
       pg_catalog.format('%s session(s) of the superuser %I: %s.', pg_catalog.sum(s.sessions), s.usename,
		pg_catalog.string_agg(pg_catalog.format('%s from %s',
			CASE WHEN s.application_name = '' THEN 'without a name'
			ELSE pg_catalog.quote_literal(s.application_name) END,
			COALESCE(pg_catalog.host(s.client_addr), 'a Unix socket')), ', '
			ORDER BY s.sessions DESC, s.application_name)) AS detail,
       E'-- a role of its own that owns no more than it needs:\n'
	'-- CREATE ROLE app LOGIN PASSWORD ...; GRANT ... TO app;' AS remedy,
       pg_catalog.format('superuser_application_role:%I', s.usename) AS ignore_key,
       pg_catalog.sum(s.sessions) AS impact,
       pg_catalog.jsonb_build_object('sessions', pg_catalog.sum(s.sessions),
		'applications', pg_catalog.jsonb_agg(DISTINCT s.application_name)) AS evidence
FROM session AS s
-- addresses of other users' sessions are hidden, names are not
GROUP BY s.usename
