-- A sort in memory.
-- threshold: temp_files.min_bytes=1000000
-- threshold: temp_files.min_day_bytes=1000000
SET work_mem = '64MB';
SELECT repeat('x', 100) || g AS x FROM generate_series(1, 30000) g ORDER BY x OFFSET 29999;
