-- id: public_schema_create
-- title: Every role may create in a schema
-- family: security
-- severity: warning
-- versions: 13-
--
-- Schemas in which PUBLIC may CREATE: any role that can connect may put a function or an operator there that
-- others then run with their own rights, because the schema is in their search_path (CVE-2018-1058). It was
-- the default for the schema public until PostgreSQL 14, and databases that came from there keep it.
SELECT n.nspname AS schema,
       pg_catalog.format('schema %I', n.nspname) AS object,
       CASE WHEN n.nspname = 'public' THEN 'warning' ELSE 'info' END AS severity,
       pg_catalog.format('Every role may create tables and functions in the schema %I%s.', n.nspname,
		CASE WHEN n.nspname = 'public' THEN ', which is in every search_path' ELSE '' END) AS detail,
       pg_catalog.format(E'-- roles that need it get it by name: GRANT CREATE ON SCHEMA %1$I TO ...;\n'
		'REVOKE CREATE ON SCHEMA %1$I FROM PUBLIC;', n.nspname) AS remedy,
       pg_catalog.format('public_schema_create:%I', n.nspname) AS ignore_key,
       1 AS impact,
       pg_catalog.jsonb_build_object('acl', n.nspacl::pg_catalog.text) AS evidence
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname !~ '^pg_'
AND EXISTS (
	SELECT
	FROM pg_catalog.aclexplode(n.nspacl) AS a
	WHERE a.grantee = 0
	AND a.privilege_type = 'CREATE')
