-- Indexes that builds left behind.
-- expect: invalid_index:public.i01_unique
-- expect: invalid_index:public.i02_x_ccnew
-- expect: invalid_index:public.i03_x_ccold1
-- expect: invalid_index:public.i04_root
CREATE TABLE i01 (x int); INSERT INTO i01 VALUES (1), (1);
CREATE TABLE i02 (x int); INSERT INTO i02 VALUES (1), (1);
CREATE TABLE i03 (x int); INSERT INTO i03 VALUES (1), (1);
\set ON_ERROR_STOP off
CREATE UNIQUE INDEX CONCURRENTLY i01_unique ON i01 (x);
CREATE UNIQUE INDEX CONCURRENTLY i02_x_ccnew ON i02 (x);
CREATE UNIQUE INDEX CONCURRENTLY i03_x_ccold1 ON i03 (x);
\set ON_ERROR_STOP on
-- a partition lacks its part
CREATE TABLE i04 (x int) PARTITION BY RANGE (x);
CREATE TABLE i04_1 PARTITION OF i04 FOR VALUES FROM (0) TO (10);
CREATE INDEX i04_root ON ONLY i04 (x);
