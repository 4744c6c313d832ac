-- A publication needs no subscriber, nor wal_level = logical (psql warns).
-- threshold: no_replica_identity.full_rows=100
-- expect: no_replica_identity:public.r01
-- expect: no_replica_identity:public.r02
-- expect: no_replica_identity:public.r03
-- expect: no_replica_identity:public.r04_1
-- expect: no_replica_identity:public.r05
CREATE TABLE r01 (x int);
CREATE TABLE r02 (x int PRIMARY KEY); ALTER TABLE r02 REPLICA IDENTITY NOTHING;
CREATE TABLE r03 (x int) WITH (autovacuum_enabled = false); ALTER TABLE r03 REPLICA IDENTITY FULL;
INSERT INTO r03 SELECT generate_series(1, 500); UPDATE r03 SET x = x + 1;
CREATE TABLE r04 (x int) PARTITION BY RANGE (x);
CREATE TABLE r04_1 PARTITION OF r04 FOR VALUES FROM (0) TO (10);
-- deletes alone
CREATE TABLE r05 (x int);
CREATE PUBLICATION q FOR TABLE r05 WITH (publish = 'insert, delete');
CREATE PUBLICATION p FOR TABLE r01, r02, r03, r04;
