-- Pairs of which the shorter index does what the longer cannot.
-- collation, operator class, one direction of two
CREATE TABLE k01 (x text, y int); CREATE INDEX ON k01 (x); CREATE INDEX ON k01 (x COLLATE "C", y);
CREATE TABLE k02 (x text, y int); CREATE INDEX ON k02 (x); CREATE INDEX ON k02 (x text_pattern_ops, y);
CREATE TABLE k03 (x int, y int, z int); CREATE INDEX ON k03 (x, y DESC); CREATE INDEX ON k03 (x, y, z);
CREATE TABLE k04 (x int, y int); CREATE INDEX ON k04 (x NULLS FIRST); CREATE INDEX ON k04 (x, y);
-- unique on fewer columns
CREATE TABLE k05 (x int, y int); CREATE UNIQUE INDEX ON k05 (x); CREATE INDEX ON k05 (x, y);
CREATE TABLE k06 (x int, y int); CREATE UNIQUE INDEX ON k06 (x); CREATE UNIQUE INDEX ON k06 (x, y);
CREATE TABLE k07 (x int PRIMARY KEY, y int); CREATE INDEX ON k07 (x, y);
-- not a prefix
CREATE TABLE k08 (x int, y int); CREATE INDEX ON k08 (y); CREATE INDEX ON k08 (x, y);
CREATE TABLE k09 (x int, y int, z int); CREATE INDEX ON k09 (x, z); CREATE INDEX ON k09 (x, y, z);
-- predicates
CREATE TABLE k10 (x int, y int); CREATE INDEX ON k10 (x) WHERE y = 1; CREATE INDEX ON k10 (x, y);
CREATE TABLE k11 (x int, y int); CREATE INDEX ON k11 (x); CREATE INDEX ON k11 (x, y) WHERE y = 1;
-- INCLUDE that the longer lacks
CREATE TABLE k12 (x int, y int, z int); CREATE INDEX ON k12 (x) INCLUDE (z); CREATE INDEX ON k12 (x, y);
-- prefixes mean nothing to GIN, GiST and hash
CREATE TABLE k13 (x int[], y int[]); CREATE INDEX ON k13 USING gin (x); CREATE INDEX ON k13 USING gin (x, y);
CREATE TABLE k14 (x int, y int); CREATE INDEX ON k14 USING hash (x); CREATE INDEX ON k14 (x, y);
-- expressions
CREATE TABLE k15 (x text, y text); CREATE INDEX ON k15 (lower(x)); CREATE INDEX ON k15 (upper(x), lower(x));
CREATE TABLE k16 (x text, y text); CREATE INDEX ON k16 (lower(x)); CREATE INDEX ON k16 (lower(y), x);
-- replica identity, target of a foreign key
CREATE TABLE k17 (x int NOT NULL, y int); CREATE UNIQUE INDEX k17_a ON k17 (x);
CREATE UNIQUE INDEX ON k17 (x) INCLUDE (y);
ALTER TABLE k17 REPLICA IDENTITY USING INDEX k17_a;
CREATE TABLE k18 (x int NOT NULL, y int); CREATE UNIQUE INDEX ON k18 (x);
CREATE TABLE k18c (x int REFERENCES k18 (x)); CREATE INDEX ON k18c (x);
CREATE UNIQUE INDEX ON k18 (x) INCLUDE (y);
-- parts of partitioned indexes
CREATE TABLE k19 (x int, y int, k int) PARTITION BY RANGE (k);
CREATE TABLE k19_1 PARTITION OF k19 FOR VALUES FROM (0) TO (10);
CREATE INDEX ON k19_1 (x, y); CREATE INDEX ON k19 (x);
-- an exclusion constraint
CREATE TABLE k20 (x int, y int, EXCLUDE USING btree (x WITH =)); CREATE INDEX ON k20 (x, y);
