-- Indexes that nothing reads. Statistics of a test are young and its tables small.
-- threshold: unused_index.min_days=0
-- threshold: unused_index.min_bytes=0
-- expect: unused_index:public.u01_y
-- expect: unused_index:public.u02_y
-- expect: unused_index:public.u03_p_y
-- expect: unused_index:public.u04_lower
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE u01 (x int PRIMARY KEY, y int); CREATE INDEX u01_y ON u01 (y);
-- of a partitioned table, all parts
CREATE TABLE u02 (x int, y int) PARTITION BY RANGE (x);
CREATE TABLE u02_1 PARTITION OF u02 FOR VALUES FROM (0) TO (10);
CREATE TABLE u02_2 PARTITION OF u02 FOR VALUES FROM (10) TO (20);
CREATE INDEX u02_y ON u02 (y);
-- two serve the foreign key: one of them must stay
CREATE TABLE u03 (p int REFERENCES p, y int);
CREATE INDEX u03_p ON u03 (p); CREATE INDEX u03_p_y ON u03 (p, y);
CREATE TABLE u04 (t text); CREATE INDEX u04_lower ON u04 (lower(t));
INSERT INTO u04 VALUES ('a');
