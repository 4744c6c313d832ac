-- Sizes by the catalog, which is all that the check reads: relpages is written by hand.
CREATE TABLE l02 (x int) WITH (autovacuum_enabled = false);
CREATE TABLE l03 (x int) PARTITION BY RANGE (x);
CREATE TABLE l03_1 PARTITION OF l03 FOR VALUES FROM (0) TO (10) WITH (autovacuum_enabled = false);
UPDATE pg_class SET relpages = 1000000 WHERE relname = 'l02';
UPDATE pg_class SET relpages = 2000000 WHERE relname = 'l03_1';
