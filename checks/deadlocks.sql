-- id: deadlocks
-- title: Deadlocks
-- family: sessions
-- severity: info
-- versions: 13-
-- threshold: min_per_day 1 | at least so many a day, on average
-- threshold: warn_per_day 24 | a warning from so many a day on
--
-- Transactions that waited for each other, so that the server ended one of them, since statistics began.
-- The program got an error; before it, all of them waited for deadlock_timeout.
WITH
seen AS (
	SELECT pg_catalog.pg_stat_get_db_deadlocks(d.oid)::pg_catalog.float8 AS deadlocks,
	       GREATEST(pg_catalog.date_part('epoch', pg_catalog.now() - COALESCE(
			pg_catalog.pg_stat_get_db_stat_reset_time(d.oid),
			pg_catalog.pg_postmaster_start_time())) / 86400, 1) AS days
	FROM pg_catalog.pg_database AS d
	WHERE d.datname = pg_catalog.current_database()
)
SELECT NULL AS schema,
       pg_catalog.format('database %I', pg_catalog.current_database()) AS object,
       CASE WHEN s.deadlocks / s.days >= :warn_per_day::pg_catalog.float8 THEN 'warning' ELSE 'info' END
	AS severity,
       pg_catalog.format('%s deadlock(s) in %s day(s): each ended a transaction with an error.', s.deadlocks,
		pg_catalog.round(s.days::pg_catalog.numeric, 1)) AS detail,
       'The server''s log names the statements. Let all transactions lock rows in the same order (ORDER'
	' BY key'
		' FOR UPDATE), and run again those that fail so.' AS remedy,
       'deadlocks:database' AS ignore_key,
       s.deadlocks / s.days AS impact,
       pg_catalog.jsonb_build_object('deadlocks', s.deadlocks,
		'days', pg_catalog.round(s.days::pg_catalog.numeric, 2)) AS evidence
FROM seen AS s
WHERE s.deadlocks > 0
AND s.deadlocks / s.days >= :min_per_day::pg_catalog.float8
