-- threshold: seq_scan_heavy.min_rows=1000
-- threshold: seq_scan_heavy.min_rows_read=100000
-- expect: seq_scan_heavy:public.s01
-- expect: seq_scan_heavy:public.s02
CREATE TABLE s01 (x int); INSERT INTO s01 SELECT generate_series(1, 5000);
SELECT 'SELECT count(*) FROM s01 WHERE x = 5' FROM generate_series(1, 60) \gexec
-- of a partitioned table, all partitions are one
CREATE TABLE s02 (k int, x int) PARTITION BY RANGE (k);
CREATE TABLE s02_1 PARTITION OF s02 FOR VALUES FROM (0) TO (10);
CREATE TABLE s02_2 PARTITION OF s02 FOR VALUES FROM (10) TO (20);
INSERT INTO s02 SELECT g % 20, g FROM generate_series(1, 5000) g;
SELECT 'SELECT count(*) FROM s02 WHERE x = 5' FROM generate_series(1, 60) \gexec
