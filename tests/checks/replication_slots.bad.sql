-- One that no client uses.
-- server: max_replication_slots=5
-- threshold: replication_slots.min_bytes=100000
-- expect: replication_slots:idle
SELECT 1 FROM pg_create_physical_replication_slot('idle', true);
CREATE TABLE t AS SELECT g FROM generate_series(1, 50000) g;
