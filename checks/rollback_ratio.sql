-- id: rollback_ratio
-- title: Many transactions are rolled back
-- family: sessions
-- severity: info
-- versions: 13-
-- threshold: min_transactions 10000 | fewer tell nothing
-- threshold: min_per_second 0.1 | nor do so few a second, on average
-- threshold: min_ratio 0.1 | at least this share is rolled back
-- threshold: warn_ratio 0.5 | a warning from this share on
--
-- The share of transactions of this database that end in ROLLBACK, since statistics began: errors that
-- programs hide, retries, or a framework that rolls back after each test or read. Work that is rolled back
-- costs as much as work that is kept, and its rows must be vacuumed.
WITH
seen AS (
	SELECT pg_catalog.pg_stat_get_db_xact_commit(d.oid)::pg_catalog.float8 AS commits,
	       pg_catalog.pg_stat_get_db_xact_rollback(d.oid)::pg_catalog.float8 AS rollbacks,
	       GREATEST(pg_catalog.date_part('epoch', pg_catalog.now() - COALESCE(
			pg_catalog.pg_stat_get_db_stat_reset_time(d.oid),
			pg_catalog.pg_postmaster_start_time())), 60) AS seconds
	FROM pg_catalog.pg_database AS d
	WHERE d.datname = pg_catalog.current_database()
)
SELECT NULL AS schema,
       pg_catalog.format('database %I', pg_catalog.current_database()) AS object,
       CASE WHEN s.rollbacks / (s.commits + s.rollbacks) >= :warn_ratio::pg_catalog.float8 THEN 'warning'
       ELSE 'info' END AS severity,
       pg_catalog.format('%s of %s transactions were rolled back (%s %%).',
		pg_catalog.to_char(s.rollbacks, 'FM999,999,999,999,990'),
		pg_catalog.to_char(s.commits + s.rollbacks, 'FM999,999,999,999,990'),
		pg_catalog.round((s.rollbacks / (s.commits + s.rollbacks) * 100)::pg_catalog.numeric, 1))
			AS detail,
       'Look for errors in the server''s log (log_min_error_statement = error); pools that ROLLBACK when a'
		' connection comes back count too.' AS remedy,
       'rollback_ratio:database' AS ignore_key,
       s.rollbacks AS impact,
       pg_catalog.jsonb_build_object('commits', s.commits, 'rollbacks', s.rollbacks,
		'seconds', pg_catalog.round(s.seconds::pg_catalog.numeric)) AS evidence
FROM seen AS s
WHERE s.commits + s.rollbacks >= GREATEST(:min_transactions::pg_catalog.float8, 1)
AND (s.commits + s.rollbacks) / s.seconds >= :min_per_second::pg_catalog.float8
AND s.rollbacks / (s.commits + s.rollbacks) >= :min_ratio::pg_catalog.float8
