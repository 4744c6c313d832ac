-- expect: int4_primary_key:public.k01
-- expect: int4_primary_key:public.k02
-- expect: int4_primary_key:public.k03
CREATE TABLE k01 (id int PRIMARY KEY); INSERT INTO k01 SELECT 2147480000 + g FROM generate_series(1, 1000) g;
CREATE TABLE k02 (id smallint, x int, PRIMARY KEY (id, x));
INSERT INTO k02 SELECT 30000 + g, g FROM generate_series(1, 1000) g;
CREATE TABLE k03 (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE k03_1 PARTITION OF k03 FOR VALUES FROM (0) TO (1000000000);
CREATE TABLE k03_2 PARTITION OF k03 FOR VALUES FROM (1000000000) TO (2147483647);
INSERT INTO k03 SELECT 1000000 * g FROM generate_series(1, 1800) g;
ANALYZE;
