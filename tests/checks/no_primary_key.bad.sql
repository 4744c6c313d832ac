-- expect: no_primary_key:public.k01
-- expect: no_primary_key:public.k02
-- expect: no_primary_key:public.k03
CREATE TABLE k01 (x int); INSERT INTO k01 VALUES (1);
CREATE TABLE k02 (x int NOT NULL UNIQUE); INSERT INTO k02 VALUES (1);
-- once, not for each partition
CREATE TABLE k03 (x int) PARTITION BY RANGE (x);
CREATE TABLE k03_1 PARTITION OF k03 FOR VALUES FROM (0) TO (10);
CREATE TABLE k03_2 PARTITION OF k03 FOR VALUES FROM (10) TO (20);
INSERT INTO k03 VALUES (1), (11);
