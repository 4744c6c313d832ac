-- An age that takes long to reach is written into the catalog by hand; nothing but autovacuum reads it.
-- expect: multixact_wraparound:public.x01
CREATE TABLE x01 (x int) WITH (autovacuum_enabled = false);
UPDATE pg_class SET relminmxid = ((4294967296 - 700000000)::text)::xid WHERE relname = 'x01';
