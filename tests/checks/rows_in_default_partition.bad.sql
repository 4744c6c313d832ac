-- expect: rows_in_default_partition:public.d01
-- expect: rows_in_default_partition:public.d02
CREATE TABLE d01 (x int) PARTITION BY RANGE (x);
CREATE TABLE d01_1 PARTITION OF d01 FOR VALUES FROM (0) TO (10);
CREATE TABLE d01_default PARTITION OF d01 DEFAULT;
INSERT INTO d01 SELECT generate_series(1, 100);
-- one that has partitions itself
CREATE TABLE d02 (x text, y int) PARTITION BY LIST (x);
CREATE TABLE d02_a PARTITION OF d02 FOR VALUES IN ('a');
CREATE TABLE d02_default PARTITION OF d02 DEFAULT PARTITION BY RANGE (y);
CREATE TABLE d02_default_1 PARTITION OF d02_default FOR VALUES FROM (0) TO (10);
INSERT INTO d02 VALUES ('b', 1);
