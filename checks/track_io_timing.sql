-- id: track_io_timing
-- title: Time of reads and writes is not measured
-- family: cluster
-- severity: info
-- versions: 13-
--
-- With track_io_timing the server measures how long it waits for reads and writes: in EXPLAIN (ANALYZE,
-- BUFFERS), pg_stat_statements and pg_stat_database. Without it no one can tell a slow disk from a slow
-- plan. It costs two looks at the clock for each block that is not in shared_buffers.
SELECT NULL AS schema,
       'track_io_timing' AS object,
       NULL AS severity,
       'track_io_timing is off: how long statements wait for the disk is not known.' AS detail,
       E'-- pg_test_timing shows what a look at the clock costs: below 100 ns it is nothing\n'
	'ALTER SYSTEM SET track_io_timing = on;'
	'\nSELECT pg_reload_conf();' AS remedy,
       'track_io_timing:server' AS ignore_key,
       1 AS impact,
       pg_catalog.jsonb_build_object('setting', s.reset_val, 'source', s.source) AS evidence
FROM pg_catalog.pg_settings AS s
WHERE s.name = 'track_io_timing'
AND s.reset_val = 'off'
