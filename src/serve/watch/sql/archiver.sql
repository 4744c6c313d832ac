-- Archiving of WAL files; the age is NULL where none was archived.
SELECT a.archived_count AS pg_stat_archiver_archived_count,
	a.failed_count AS pg_stat_archiver_failed_count,
	EXTRACT(epoch FROM pg_catalog.clock_timestamp() - a.last_archived_time) AS pg_stat_archiver_last_archive_age
FROM pg_catalog.pg_stat_archiver AS a
