-- id: checkpoints_requested
-- title: Checkpoints come before their time
-- family: cluster
-- severity: warning
-- versions: 13-
-- needs: primary
-- threshold: min_requested 10 | fewer tell nothing
-- threshold: min_share 0.5 | this share of checkpoints came because of max_wal_size, or by command...
-- threshold: min_per_hour 2 | ...and so many of these an hour, on average
-- probe: requested pg_stat_checkpointer.num_requested ? pg_catalog.pg_stat_get_checkpointer_num_requested() : pg_catalog.pg_stat_get_bgwriter_requested_checkpoints()
-- probe: timed pg_stat_checkpointer.num_timed ? pg_catalog.pg_stat_get_checkpointer_num_timed() : pg_catalog.pg_stat_get_bgwriter_timed_checkpoints()
-- probe: reset_at pg_stat_checkpointer.stats_reset ? pg_catalog.pg_stat_get_checkpointer_stat_reset_time() : pg_catalog.pg_stat_get_bgwriter_stat_reset_time()
--
-- Checkpoints that did not wait for checkpoint_timeout, because the WAL had reached max_wal_size. Each one
-- writes what is dirty at once, and after it each block that changes goes to the WAL as a whole again: more
-- WAL, and so the next checkpoint sooner.
WITH
seen AS (
	SELECT :requested::pg_catalog.float8 AS requested,
	       :timed::pg_catalog.float8 AS timed,
	       -- within the first hour an average says little
	       GREATEST(pg_catalog.date_part('epoch', pg_catalog.now() - COALESCE(:reset_at,
			pg_catalog.pg_postmaster_start_time())) / 3600, 1) AS hours,
	       pg_catalog.current_setting('max_wal_size') AS max_wal_size,
	       pg_catalog.current_setting('checkpoint_timeout') AS timeout
)
SELECT NULL AS schema,
       'server' AS object,
       NULL AS severity,
       pg_catalog.format('%s of %s checkpoints in %s hours did not wait for checkpoint_timeout (%s);'
	' max_wal_size'
		' is %s.',
		s.requested, s.requested + s.timed, pg_catalog.round(s.hours::pg_catalog.numeric, 1),
			s.timeout,
		s.max_wal_size) AS detail,
       pg_catalog.format(E'-- as far as the disk has room; now %s:\nALTER SYSTEM SET max_wal_size = %L;'
		'\nSELECT pg_reload_conf();', s.max_wal_size,
		pg_catalog.pg_size_pretty((SELECT p.setting::pg_catalog.int8 * 4 * 1024 * 1024
			FROM pg_catalog.pg_settings AS p WHERE p.name = 'max_wal_size'))) AS remedy,
       'checkpoints_requested:server' AS ignore_key,
       s.requested / s.hours AS impact,
       pg_catalog.jsonb_build_object(
		'requested', s.requested,
		'timed', s.timed,
		'hours', pg_catalog.round(s.hours::pg_catalog.numeric, 2),
		'max_wal_size', s.max_wal_size,
		'checkpoint_timeout', s.timeout
       ) AS evidence
FROM seen AS s
WHERE s.requested >= GREATEST(:min_requested::pg_catalog.float8, 1)
AND s.requested / (s.requested + s.timed) > :min_share::pg_catalog.float8
AND s.requested / s.hours >= :min_per_hour::pg_catalog.float8
