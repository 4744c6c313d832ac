-- Pairs of which the shorter index is contained in the longer.
-- expect: overlapping_index:public.o01_a
-- expect: overlapping_index:public.o02_a
-- expect: overlapping_index:public.o03_a
-- expect: overlapping_index:public.o04_a
-- expect: overlapping_index:public.o05_a
-- expect: overlapping_index:public.o06_a
-- expect: overlapping_index:public.o07_a
-- expect: overlapping_index:public.o08_a
-- expect: overlapping_index:public.o09_a
-- expect: overlapping_index:public.o09_b
-- expect: overlapping_index:public.o10_a
-- expect: overlapping_index:public.o11_a
-- expect: duplicate_index:public.o12_c
-- expect: overlapping_index:public.o12_a
-- prefix
CREATE TABLE o01 (x int, y int); CREATE INDEX o01_a ON o01 (x); CREATE INDEX o01_b ON o01 (x, y);
-- prefix, reversed
CREATE TABLE o02 (x int, y int); CREATE INDEX o02_a ON o02 (x DESC); CREATE INDEX o02_b ON o02 (x, y);
CREATE TABLE o03 (x int, y int, z int); CREATE INDEX o03_a ON o03 (x, y DESC);
CREATE INDEX o03_b ON o03 (x DESC, y, z);
-- of a primary key
CREATE TABLE o04 (x int, y int, PRIMARY KEY (x, y)); CREATE INDEX o04_a ON o04 (x);
-- INCLUDE within the keys, within INCLUDE, and none
CREATE TABLE o05 (x int, y int); CREATE INDEX o05_a ON o05 (x) INCLUDE (y); CREATE INDEX o05_b ON o05 (x, y);
CREATE TABLE o06 (x int, y int, z int);
CREATE INDEX o06_a ON o06 (x) INCLUDE (y); CREATE INDEX o06_b ON o06 (x) INCLUDE (z, y);
CREATE TABLE o07 (x int, y int); CREATE INDEX o07_a ON o07 (x); CREATE INDEX o07_b ON o07 (x) INCLUDE (y);
-- expressions, of which the second has no counterpart
CREATE TABLE o08 (x text, y text); CREATE INDEX o08_a ON o08 (lower(x));
CREATE INDEX o08_b ON o08 (lower(x), upper(y));
-- a chain
CREATE TABLE o09 (x int, y int, z int);
CREATE INDEX o09_a ON o09 (x); CREATE INDEX o09_b ON o09 (x, y); CREATE INDEX o09_c ON o09 (x, y, z);
-- unique, by a unique one that includes more
CREATE TABLE o10 (x int, y int); CREATE UNIQUE INDEX o10_a ON o10 (x);
CREATE UNIQUE INDEX o10_b ON o10 (x) INCLUDE (y);
-- predicate and all
CREATE TABLE o11 (x int, y int); CREATE INDEX o11_a ON o11 (x) WHERE y = 1;
CREATE INDEX o11_b ON o11 (x, y) WHERE y = 1;
-- two that are the same: one is a duplicate, the other is contained
CREATE TABLE o12 (x int, y int); CREATE INDEX o12_a ON o12 (x); CREATE INDEX o12_b ON o12 (x, y);
CREATE INDEX o12_c ON o12 (x);
