-- A table that switches it off for itself is another check's.
CREATE TABLE t WITH (autovacuum_enabled = off) AS SELECT g FROM generate_series(1, 10000) g;
ANALYZE t;
