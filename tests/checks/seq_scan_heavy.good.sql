-- threshold: seq_scan_heavy.min_rows=1000
-- threshold: seq_scan_heavy.min_rows_read=100000
-- few scans, as of a backup
CREATE TABLE r01 (x int); INSERT INTO r01 SELECT generate_series(1, 20000);
SELECT 'SELECT count(*) FROM r01' FROM generate_series(1, 10) \gexec
-- small
CREATE TABLE r02 (x int); INSERT INTO r02 SELECT generate_series(1, 500);
SELECT 'SELECT count(*) FROM r02' FROM generate_series(1, 300) \gexec
-- scans that end early
CREATE TABLE r03 (x int); INSERT INTO r03 SELECT generate_series(1, 5000);
SELECT 'SELECT * FROM r03 LIMIT 100' FROM generate_series(1, 1100) \gexec
-- read by its index
CREATE TABLE r04 (x int PRIMARY KEY); INSERT INTO r04 SELECT generate_series(1, 5000); ANALYZE r04;
SELECT 'SELECT count(*) FROM r04 WHERE x < 30' FROM generate_series(1, 60) \gexec
