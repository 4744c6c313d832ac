-- id: autovacuum_off
-- title: Autovacuum is off
-- family: cluster
-- severity: critical
-- versions: 13-
--
-- Without autovacuum dead rows are never removed, statistics grow old and plans bad, and transaction ids are
-- frozen only when wraparound threatens. It needs track_counts too. autovacuum_disabled names tables that
-- switch it off for themselves.
SELECT NULL AS schema,
       s.name AS object,
       NULL AS severity,
       pg_catalog.format('%s is off: no table is vacuumed or analyzed by itself%s.', s.name,
		CASE WHEN s.name = 'track_counts' THEN ', and nothing is counted' ELSE '' END) AS detail,
       pg_catalog.format(E'ALTER SYSTEM SET %I = on;\nSELECT pg_reload_conf();', s.name) AS remedy,
       'autovacuum_off:' || s.name AS ignore_key,
       1 AS impact,
       pg_catalog.jsonb_build_object('setting', s.reset_val, 'source', s.source) AS evidence
FROM pg_catalog.pg_settings AS s
WHERE s.name IN ('autovacuum', 'track_counts')
AND s.reset_val = 'off'
