-- id: row_security
-- title: Row security that does not do what it seems to
-- family: security
-- severity: warning
-- versions: 13-
--
-- Tables with policies whose row security is not enabled: no policy holds, everyone sees all rows. And tables
-- whose row security is enabled, but that have no policy: all but their owner see none.
SELECT n.nspname AS schema,
       pg_catalog.format('%I.%I', n.nspname, c.relname) AS object,
       CASE WHEN c.relrowsecurity THEN 'info' ELSE 'warning' END AS severity,
       CASE WHEN c.relrowsecurity THEN 'Row security is enabled, and there is no policy: all but the'
	' owner see no'
		' row.'
       ELSE pg_catalog.format('It has %s polic%s, but row security is not enabled: none holds.', p.policies,
		CASE WHEN p.policies = 1 THEN 'y' ELSE 'ies' END) END AS detail,
       CASE WHEN c.relrowsecurity THEN pg_catalog.format('CREATE POLICY ... ON %I.%I ...; or ALTER TABLE'
	' %1$I.%2$I'
		' DISABLE ROW LEVEL SECURITY;', n.nspname, c.relname)
       ELSE pg_catalog.format(E'-- once the policies are what its users need:\n'
		'ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY;', n.nspname, c.relname) END AS remedy,
       pg_catalog.format('row_security:%I.%I', n.nspname, c.relname) AS ignore_key,
       p.policies AS impact,
       pg_catalog.jsonb_build_object('policies', p.policies, 'enabled', c.relrowsecurity,
		'forced_on_owner', c.relforcerowsecurity) AS evidence
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN (
	SELECT p.polrelid, pg_catalog.count(*) AS policies
	FROM pg_catalog.pg_policy AS p
	GROUP BY p.polrelid
) AS has ON has.polrelid = c.oid
CROSS JOIN LATERAL (
	SELECT COALESCE(has.policies, 0) AS policies
) AS p
WHERE c.relkind IN ('r', 'p')
AND c.relrowsecurity <> (p.policies > 0)
AND n.nspname !~ '^pg_'
AND n.nspname NOT IN ('information_schema', 'pgmend')
AND NOT EXISTS (
	SELECT
	FROM pg_catalog.pg_depend AS d
	WHERE d.classid = 1259 AND d.objid = c.oid AND d.deptype = 'e')
