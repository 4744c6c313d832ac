-- threshold: dead_rows.wait_minutes=0
-- threshold: dead_rows.min_dead=1000
CREATE TABLE e01 (x int); INSERT INTO e01 SELECT generate_series(1, 5000); UPDATE e01 SET x = x + 1;
-- a session's counts arrive with its end
\c
SELECT pg_sleep(0.6);
VACUUM e01;
-- not yet due
CREATE TABLE e02 (x int) WITH (autovacuum_vacuum_threshold = 100000);
INSERT INTO e02 SELECT generate_series(1, 5000); DELETE FROM e02;
-- few
CREATE TABLE e03 (x int) WITH (autovacuum_enabled = false);
INSERT INTO e03 SELECT generate_series(1, 500); DELETE FROM e03;
-- aborted inserts are counted until the next vacuum
CREATE TABLE e04 (x int); INSERT INTO e04 SELECT generate_series(1, 5000);
