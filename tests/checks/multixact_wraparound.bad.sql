-- An age that takes long to reach is written into the catalog by hand;
-- autovacuum would read it and freeze the table, even where it is switched off for that one.
-- server: autovacuum=off
-- expect: multixact_wraparound:public.x01
CREATE TABLE x01 (x int) WITH (autovacuum_enabled = false);
UPDATE pg_class SET relminmxid = ((4294967296 - 700000000)::text)::xid WHERE relname = 'x01';
