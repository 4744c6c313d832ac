-- id: outdated_extension
-- title: Extension that was not updated
-- family: cluster
-- severity: info
-- versions: 13-
--
-- Extensions of this database whose files on the server are newer than what is installed, as after an upgrade
-- of the server or a package. They work as before, without what is new or mended: pg_stat_statements of an
-- old version lacks columns. Only where the files hold a way from the one to the other.
SELECT n.nspname AS schema,
       pg_catalog.format('extension %I', e.extname) AS object,
       NULL AS severity,
       pg_catalog.format('Version %s is installed; the server''s files are of %s.', e.extversion,
	a.default_version)
	AS detail,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN '-- on the primary: ' ELSE '' END
	|| pg_catalog.format('ALTER EXTENSION %I UPDATE;', e.extname) AS remedy,
       pg_catalog.format('outdated_extension:%I', e.extname) AS ignore_key,
       1 AS impact,
       pg_catalog.jsonb_build_object('installed', e.extversion, 'available', a.default_version) AS evidence
FROM pg_catalog.pg_extension AS e
JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
JOIN pg_catalog.pg_available_extensions AS a ON a.name = e.extname
WHERE a.default_version <> e.extversion
AND EXISTS (
	SELECT
	FROM pg_catalog.pg_extension_update_paths(e.extname) AS p
	WHERE p.source = e.extversion
	AND p.target = a.default_version
	AND p.path IS NOT NULL)
