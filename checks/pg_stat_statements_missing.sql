-- id: pg_stat_statements_missing
-- title: Statement statistics cannot be read
-- family: statements
-- severity: info
-- versions: 13-
--
-- pg_stat_statements tells which statements take the server's time. Without it, slow statements are not
-- found and pgmend advise needs a file of statements. It takes a line in shared_preload_libraries, a
-- restart, and CREATE EXTENSION in one database; to read the texts of other users' statements takes
-- pg_read_all_stats.
WITH
seen AS (
	-- the setting exists where the library is loaded; not everyone may see shared_preload_libraries
	SELECT EXISTS (
			SELECT FROM pg_catalog.pg_settings AS s WHERE s.name = 'pg_stat_statements.max')
				AS loaded,
	       EXISTS (
			SELECT FROM pg_catalog.pg_extension AS e WHERE e.extname = 'pg_stat_statements')
				AS installed,
	       EXISTS (
			SELECT FROM pg_catalog.pg_available_extensions AS a
			WHERE a.name = 'pg_stat_statements') AS available,
	       pg_catalog.pg_has_role(CURRENT_USER, 'pg_read_all_stats', 'USAGE') AS reads_all,
	       COALESCE((SELECT s.setting FROM pg_catalog.pg_settings AS s
			 WHERE s.name = 'pg_stat_statements.track'), '') AS track,
	       pg_catalog.pg_is_in_recovery() AS standby
),
cause AS (
	SELECT 'not_loaded' AS cause,
	       'The server has not loaded pg_stat_statements' || CASE WHEN s.available THEN '.'
		ELSE ', and its files are not installed (Debian: postgresql-contrib; they come with the'
			' server package'
		' since 10).' END AS detail,
	       E'-- in postgresql.conf, beside what stands there; then restart the server:\n'
	       '-- shared_preload_libraries = ''pg_stat_statements''' AS remedy
	FROM seen AS s
	WHERE NOT s.loaded
	UNION ALL
	SELECT 'not_installed', 'The extension pg_stat_statements is not installed in this database.',
	       CASE WHEN s.standby THEN '-- on the primary: ' ELSE '' END
		|| 'CREATE EXTENSION pg_stat_statements;'
	FROM seen AS s
	WHERE NOT s.installed
	UNION ALL
	SELECT 'not_tracking', 'pg_stat_statements is loaded, but pg_stat_statements.track is none.',
	       'ALTER SYSTEM SET pg_stat_statements.track = top; SELECT pg_reload_conf();'
	FROM seen AS s
	WHERE s.loaded AND s.track = 'none'
	UNION ALL
	SELECT 'not_readable',
	       pg_catalog.format('%I may not read the statements of other users.', CURRENT_USER),
	       pg_catalog.format('GRANT pg_read_all_stats TO %I;', CURRENT_USER)
	FROM seen AS s
	WHERE s.installed AND NOT s.reads_all
)
SELECT NULL AS schema,
       'pg_stat_statements' AS object,
       NULL AS severity,
       c.detail,
       c.remedy,
       'pg_stat_statements_missing:' || c.cause AS ignore_key,
       1 AS impact,
       pg_catalog.jsonb_build_object(
		'loaded', s.loaded,
		'installed', s.installed,
		'available', s.available,
		'reads_all', s.reads_all,
		'track', s.track
       ) AS evidence
FROM cause AS c
CROSS JOIN seen AS s
