-- A standby that replays what comes.
-- standby: SELECT 1
-- threshold: replication_lag.warn_bytes=100000
CREATE TABLE t AS SELECT g FROM generate_series(1, 50000) g;
SELECT pg_sleep(1);
