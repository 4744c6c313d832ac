-- id: connection_churn
-- title: Many short sessions
-- family: sessions
-- severity: warning
-- versions: 14-
-- threshold: min_sessions 10000 | fewer sessions tell nothing
-- threshold: min_per_minute 60 | so many begin in a minute, on average...
-- threshold: max_seconds 10 | ...and last so long at most, on average
-- probe: sessions pg_stat_database.sessions ? pg_catalog.pg_stat_get_db_sessions(d.oid) : NULL
-- probe: milliseconds pg_stat_database.session_time ? pg_catalog.pg_stat_get_db_session_time(d.oid) : NULL
--
-- Programs that connect anew for each request. A session costs the server a process, and with TLS and SCRAM
-- some milliseconds of computing, before its first statement; caches of catalogs and plans begin empty. A
-- pooler keeps sessions open.
WITH
seen AS (
	SELECT :sessions::pg_catalog.float8 AS sessions,
	       :milliseconds::pg_catalog.float8 / 1000 AS seconds,
	       GREATEST(pg_catalog.date_part('epoch', pg_catalog.now() - COALESCE(
			pg_catalog.pg_stat_get_db_stat_reset_time(d.oid),
			pg_catalog.pg_postmaster_start_time())), 60) / 60 AS minutes
	FROM pg_catalog.pg_database AS d
	WHERE d.datname = pg_catalog.current_database()
)
SELECT NULL AS schema,
       pg_catalog.format('database %I', pg_catalog.current_database()) AS object,
       NULL AS severity,
       pg_catalog.format('%s sessions began in a minute, on average, and lasted %s s each (%s sessions in'
	' %s days).',
		pg_catalog.round((s.sessions / s.minutes)::pg_catalog.numeric, 1),
		pg_catalog.round((s.seconds / s.sessions)::pg_catalog.numeric, 2),
		pg_catalog.to_char(s.sessions, 'FM999,999,999,999,990'),
		pg_catalog.round((s.minutes / 1440)::pg_catalog.numeric, 1)) AS detail,
       'Let programs keep their connections in a pool, or put a pooler (PgBouncer) before the server.'
	AS remedy,
       'connection_churn:database' AS ignore_key,
       s.sessions / s.minutes AS impact,
       pg_catalog.jsonb_build_object(
		'sessions', s.sessions,
		'per_minute', pg_catalog.round((s.sessions / s.minutes)::pg_catalog.numeric, 2),
		'mean_seconds', pg_catalog.round((s.seconds / s.sessions)::pg_catalog.numeric, 3)
       ) AS evidence
FROM seen AS s
WHERE s.sessions >= GREATEST(:min_sessions::pg_catalog.float8, 1)
AND s.sessions / s.minutes >= :min_per_minute::pg_catalog.float8
AND s.seconds / s.sessions <= :max_seconds::pg_catalog.float8
