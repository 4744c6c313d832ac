-- An age that takes days to reach is written into the catalog by hand;
-- autovacuum would read it and freeze the table, even where it is switched off for that one.
-- server: autovacuum=off
-- expect: xid_wraparound:public.x01
-- expect: xid_wraparound:public.x02
CREATE TABLE x01 (x int) WITH (autovacuum_enabled = false);
CREATE TABLE x02 (x text) WITH (autovacuum_enabled = false);
UPDATE pg_class SET relfrozenxid = (((txid_current() + 4294967296 - 400000000) % 4294967296)::text)::xid
WHERE relname = 'x01';
-- its TOAST table is the older one
UPDATE pg_class SET relfrozenxid = (((txid_current() + 4294967296 - 1600000000) % 4294967296)::text)::xid
WHERE oid = (SELECT reltoastrelid FROM pg_class WHERE relname = 'x02');
