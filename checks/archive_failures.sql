-- id: archive_failures
-- title: WAL cannot be archived
-- family: cluster
-- severity: critical
-- versions: 13-
--
-- The last attempt to archive WAL failed, or archiving is on and nothing does it. The server keeps all WAL
-- until it is archived: the disk fills, and a restore to a point in time ends at what was archived last.
WITH
seen AS (
	SELECT a.failed_count, a.last_failed_wal, a.last_failed_time, a.archived_count, a.last_archived_time,
	       pg_catalog.current_setting('archive_mode') AS mode,
	       COALESCE(pg_catalog.current_setting('archive_command', true), '') AS command,
	       -- since 15
	       COALESCE(pg_catalog.current_setting('archive_library', true), '') AS library
	FROM pg_catalog.pg_stat_archiver AS a
),
cause AS (
	SELECT 'failing' AS cause,
	       pg_catalog.format('The last attempt, at %s, could not archive %s; %s attempts failed, and %s.',
			pg_catalog.to_char(s.last_failed_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'),
			s.last_failed_wal, s.failed_count,
			COALESCE(pg_catalog.to_char(s.last_archived_time AT TIME ZONE 'UTC',
				'"the last that worked was at "YYYY-MM-DD HH24:MI" UTC"'),
					'none has worked')) AS detail,
	       'The server''s log has what archive_command wrote. Mend it: the server tries again by'
		' itself.' AS remedy
	FROM seen AS s
	WHERE s.mode <> 'off'
	AND s.last_failed_time > COALESCE(s.last_archived_time, '-infinity')
	UNION ALL
	SELECT 'nothing_archives', 'archive_mode is on, but archive_command'
		|| CASE WHEN pg_catalog.current_setting('archive_library', true) IS NULL THEN ' is'
		ELSE ' and archive_library are' END || ' empty: WAL is kept and never archived.',
	       'ALTER SYSTEM SET archive_command = ''...''; SELECT pg_reload_conf(); or turn archive_mode'
		' off.'
	FROM seen AS s
	WHERE s.mode <> 'off'
	AND s.command IN ('', '(disabled)')
	AND s.library = ''
)
SELECT NULL AS schema,
       'server' AS object,
       NULL AS severity,
       c.detail,
       c.remedy,
       'archive_failures:' || c.cause AS ignore_key,
       s.failed_count AS impact,
       pg_catalog.jsonb_build_object(
		'archive_mode', s.mode,
		'failed', s.failed_count,
		'last_failed_wal', s.last_failed_wal,
		'last_failed_time', s.last_failed_time,
		'archived', s.archived_count,
		'last_archived_time', s.last_archived_time
       ) AS evidence
FROM cause AS c
CROSS JOIN seen AS s
