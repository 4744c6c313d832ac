-- id: temp_files
-- title: Many temporary files
-- family: statements
-- severity: info
-- versions: 13-
-- threshold: min_bytes 1073741824 | less tells nothing
-- threshold: min_day_bytes 10737418240 | at least so much a day, on average
-- threshold: warn_day_bytes 107374182400 | a warning from so much a day on
--
-- What statements of this database wrote to temporary files, because sorts and hashes did not fit in
-- work_mem, since statistics began. spilling_statement says which statements, where pg_stat_statements can be
-- read.
WITH
seen AS (
	SELECT pg_catalog.pg_stat_get_db_temp_files(d.oid)::pg_catalog.float8 AS files,
	       pg_catalog.pg_stat_get_db_temp_bytes(d.oid)::pg_catalog.float8 AS bytes,
	       -- within the first hour an average says little
	       GREATEST(pg_catalog.date_part('epoch', pg_catalog.now() - COALESCE(
			pg_catalog.pg_stat_get_db_stat_reset_time(d.oid),
			pg_catalog.pg_postmaster_start_time())), 3600) / 86400 AS days,
	       (SELECT s.reset_val::pg_catalog.int8 * 1024
		FROM pg_catalog.pg_settings AS s WHERE s.name = 'work_mem') AS work_mem
	FROM pg_catalog.pg_database AS d
	WHERE d.datname = pg_catalog.current_database()
)
SELECT NULL AS schema,
       pg_catalog.format('database %I', pg_catalog.current_database()) AS object,
       CASE WHEN s.bytes / s.days >= :warn_day_bytes::pg_catalog.float8 THEN 'warning' ELSE 'info' END
	AS severity,
       pg_catalog.format('Statements wrote %s in %s temporary files in %s days, %s a day: %s each, with a'
		' work_mem of %s.',
		pg_catalog.pg_size_pretty(s.bytes::pg_catalog.int8),
		pg_catalog.to_char(s.files, 'FM999,999,999,999,990'),
		pg_catalog.round(s.days::pg_catalog.numeric, 1),
		pg_catalog.pg_size_pretty((s.bytes / s.days)::pg_catalog.int8),
		pg_catalog.pg_size_pretty((s.bytes / GREATEST(s.files, 1))::pg_catalog.int8),
		pg_catalog.pg_size_pretty(s.work_mem)) AS detail,
       'Mend the statements that spilling_statement names. Log such files with log_temp_files = ''10MB''.'
		AS remedy,
       'temp_files:database' AS ignore_key,
       s.bytes / s.days AS impact,
       pg_catalog.jsonb_build_object(
		'files', s.files,
		'bytes', s.bytes,
		'bytes_per_day', pg_catalog.round((s.bytes / s.days)::pg_catalog.numeric),
		'days', pg_catalog.round(s.days::pg_catalog.numeric, 2),
		'work_mem_bytes', s.work_mem
       ) AS evidence
FROM seen AS s
WHERE s.bytes >= GREATEST(:min_bytes::pg_catalog.float8, 1)
AND s.bytes / s.days >= :min_day_bytes::pg_catalog.float8
