-- One that never was used and keeps nothing, and one that is young.
-- server: max_replication_slots=5
SELECT 1 FROM pg_create_physical_replication_slot('never', false);
SELECT 1 FROM pg_create_physical_replication_slot('young', true);
CREATE TABLE t AS SELECT g FROM generate_series(1, 50000) g;
