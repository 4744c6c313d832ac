-- At autovacuum_multixact_freeze_max_age a table is due, not late.
-- The age is written into the catalog by hand.
CREATE TABLE y01 (x int) WITH (autovacuum_enabled = false);
UPDATE pg_class SET relminmxid = ((4294967296 - 420000000)::text)::xid WHERE relname = 'y01';
