-- 11 GB by the catalog, which is all that the check reads: relpages is written by hand.
-- expect: large_unpartitioned:public.l01
CREATE TABLE l01 (x int) WITH (autovacuum_enabled = false);
UPDATE pg_class SET relpages = 1450000, reltuples = 300000000 WHERE relname = 'l01';
