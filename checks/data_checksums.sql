-- id: data_checksums
-- title: Data pages without checksums, or with wrong ones
-- family: cluster
-- severity: info
-- versions: 13-
--
-- With checksums the server notices pages that the disk or the memory has damaged when it reads them;
-- without, it hands wrong rows on. They are on by default since PostgreSQL 18. Pages that were found damaged
-- in this database are critical.
SELECT NULL AS schema,
       'server' AS object,
       NULL AS severity,
       'Data checksums are off: damage by disk or memory is not noticed.' AS detail,
       E'-- the server stopped; it rewrites every page:\n-- pg_checksums --enable -D DATA_DIRECTORY'
	AS remedy,
       'data_checksums:server' AS ignore_key,
       1 AS impact,
       pg_catalog.jsonb_build_object('data_checksums', pg_catalog.current_setting('data_checksums'))
	AS evidence
WHERE pg_catalog.current_setting('data_checksums') = 'off'
UNION ALL
SELECT NULL,
       pg_catalog.format('database %I', d.datname),
       'critical',
       pg_catalog.format('%s damaged page(s) were read, the last at %s.',
		pg_catalog.pg_stat_get_db_checksum_failures(d.oid),
		pg_catalog.to_char(pg_catalog.pg_stat_get_db_checksum_last_failure(d.oid) AT TIME ZONE 'UTC',
			'YYYY-MM-DD HH24:MI "UTC"')),
       'The server''s log names the files. Look at disk and memory, take a copy of the data directory,'
	' and restore'
	' from a backup.',
       'data_checksums:failures',
       1e18,
       pg_catalog.jsonb_build_object(
		'failures', pg_catalog.pg_stat_get_db_checksum_failures(d.oid),
		'last', pg_catalog.pg_stat_get_db_checksum_last_failure(d.oid))
FROM pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database()
AND pg_catalog.pg_stat_get_db_checksum_failures(d.oid) > 0
