-- At autovacuum_freeze_max_age a table is due, not late. The age is written into the catalog by hand.
CREATE TABLE y01 (x int) WITH (autovacuum_enabled = false);
CREATE VIEW y02 AS SELECT * FROM y01;
UPDATE pg_class SET relfrozenxid = (((txid_current() + 4294967296 - 220000000) % 4294967296)::text)::xid
WHERE relname = 'y01';
