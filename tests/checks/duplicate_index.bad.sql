-- Pairs of which one index is for nothing.
-- expect: duplicate_index:public.d01_b
-- expect: duplicate_index:public.d02_b
-- expect: duplicate_index:public.d03_b
-- expect: duplicate_index:public.d04_b
-- expect: duplicate_index:public.d05_b
-- expect: duplicate_index:public.d06_b
-- expect: duplicate_index:public.d07_a
-- expect: duplicate_index:public.d08_b
-- expect: duplicate_index:public.d08_c
-- expect: duplicate_index:public.d09_b
-- expect: duplicate_index:public.d10_b
-- expect: duplicate_index:public.d11_b
-- expect: duplicate_index:public.d12_b
-- expect: duplicate_index:public.d13_b
-- expect: duplicate_index:public.d14_b
-- expect: duplicate_index:public.d15_a
-- plain
CREATE TABLE d01 (x int); CREATE INDEX d01_a ON d01 (x); CREATE INDEX d01_b ON d01 (x);
-- all directions reversed
CREATE TABLE d02 (x int, y int); CREATE INDEX d02_a ON d02 (x, y DESC); CREATE INDEX d02_b ON d02 (x DESC, y);
-- beside a primary key
CREATE TABLE d03 (x int PRIMARY KEY); CREATE INDEX d03_b ON d03 (x);
-- unique beside a unique constraint
CREATE TABLE d04 (x int UNIQUE); CREATE UNIQUE INDEX d04_b ON d04 (x);
-- expressions with commas
CREATE TABLE d05 (x text, y text);
CREATE INDEX d05_a ON d05 (coalesce(x, y, ','), lower(y));
CREATE INDEX d05_b ON d05 (coalesce( x, y, ','), lower(y));
-- predicates written at another place of the text
CREATE TABLE d06 (x int, y int);
CREATE INDEX d06_a ON d06 (x) WHERE y > 0; CREATE INDEX d06_b ON d06    (x)    WHERE   y > 0;
-- a unique one stays, though it is younger
CREATE TABLE d07 (x int); CREATE INDEX d07_a ON d07 (x); CREATE UNIQUE INDEX d07_b ON d07 (x);
-- three of a kind
CREATE TABLE d08 (x int); CREATE INDEX d08_a ON d08 (x); CREATE INDEX d08_b ON d08 (x);
CREATE INDEX d08_c ON d08 (x);
-- INCLUDE is a set
CREATE TABLE d09 (x int, y int, z int);
CREATE INDEX d09_a ON d09 (x) INCLUDE (y, z); CREATE INDEX d09_b ON d09 (x) INCLUDE (z, y);
-- hash, GIN, BRIN
CREATE TABLE d10 (x int); CREATE INDEX d10_a ON d10 USING hash (x); CREATE INDEX d10_b ON d10 USING hash (x);
CREATE TABLE d11 (x jsonb); CREATE INDEX d11_a ON d11 USING gin (x); CREATE INDEX d11_b ON d11 USING gin (x);
CREATE TABLE d12 (x int); CREATE INDEX d12_a ON d12 USING brin (x); CREATE INDEX d12_b ON d12 USING brin (x);
-- fillfactor makes no other index; a name that is part of the definition's text misleads no one
CREATE TABLE d13 (x int); CREATE INDEX x ON d13 (x); CREATE INDEX d13_b ON d13 (x) WITH (fillfactor = 70);
-- of partitioned tables, one finding for all parts
CREATE TABLE d14 (x int, k int) PARTITION BY RANGE (k);
CREATE TABLE d14_1 PARTITION OF d14 FOR VALUES FROM (0) TO (10);
CREATE INDEX d14_a ON d14 (x); CREATE INDEX d14_b ON d14 (x);
-- on one partition, beside the part of a partitioned index
CREATE TABLE d15 (x int, k int) PARTITION BY RANGE (k);
CREATE TABLE d15_1 PARTITION OF d15 FOR VALUES FROM (0) TO (10);
CREATE INDEX d15_a ON d15_1 (x);
CREATE INDEX d15_root ON ONLY d15 (x); CREATE INDEX d15_1_x ON d15_1 (x);
ALTER INDEX d15_root ATTACH PARTITION d15_1_x;
