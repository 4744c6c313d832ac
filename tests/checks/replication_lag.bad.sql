-- A standby that does not replay.
-- standby: SELECT pg_wal_replay_pause()
-- threshold: replication_lag.warn_bytes=100000
-- expect: replication_lag:standby *
CREATE TABLE t AS SELECT g FROM generate_series(1, 50000) g;
