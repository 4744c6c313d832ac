-- id: log_settings
-- title: The log lacks what explains slow hours
-- family: cluster
-- severity: info
-- versions: 13-
--
-- What the server does not write to its log, so that no one can look it up afterwards: waits for locks,
-- checkpoints, temporary files, long autovacuums, slow statements. Each costs a line where something is worth
-- a look. And what costs more than it tells: every statement logged.
WITH
setting AS (
	SELECT s.name, s.reset_val AS value
	FROM pg_catalog.pg_settings AS s
),
wish AS (
	SELECT w.name, w.bad, w.better, w.why
	FROM (VALUES
		('log_lock_waits', 'off', 'on', 'who waited for a lock, and for whom'),
		('log_checkpoints', 'off', 'on', 'when checkpoints came, and what they wrote'),
		('log_temp_files', '-1', '''10MB''', 'which statements wrote temporary files'),
		('log_autovacuum_min_duration', '-1', '''10min''', 'which tables take autovacuum long'),
		('log_min_duration_statement', '-1', '''1s''', 'which statements were slow')
	) AS w (name, bad, better, why)
	JOIN setting AS s ON s.name = w.name AND s.value = w.bad
	-- samples and auto_explain log slow statements too
	WHERE w.name <> 'log_min_duration_statement'
	OR NOT EXISTS (
		SELECT
		FROM setting AS o
		WHERE o.name IN ('log_min_duration_sample', 'auto_explain.log_min_duration')
		AND o.value <> '-1')
)
SELECT NULL AS schema,
       'server' AS object,
       NULL AS severity,
       pg_catalog.format('The log does not say %s.', pg_catalog.string_agg(w.why, '; ' ORDER BY w.name))
	AS detail,
       pg_catalog.string_agg(pg_catalog.format('ALTER SYSTEM SET %I = %s;', w.name, w.better),
	E'\n' ORDER BY w.name)
	|| E'\nSELECT pg_reload_conf();' AS remedy,
       'log_settings:quiet' AS ignore_key,
       pg_catalog.count(*) AS impact,
       pg_catalog.jsonb_object_agg(w.name, w.bad) AS evidence
FROM wish AS w
HAVING pg_catalog.count(*) > 0
UNION ALL
SELECT NULL,
       s.name,
       NULL,
       pg_catalog.format('%s is %s: every statement of every session goes to the log, with its values.',
	s.name,
		s.value),
       pg_catalog.format(E'ALTER SYSTEM SET %I = %s;\nSELECT pg_reload_conf();', s.name,
		CASE s.name WHEN 'log_statement' THEN 'ddl' ELSE '''1s''' END),
       'log_settings:' || s.name,
       10,
       pg_catalog.jsonb_build_object(s.name, s.value)
FROM setting AS s
WHERE (s.name, s.value) IN (('log_statement', 'all'), ('log_min_duration_statement', '0'))
