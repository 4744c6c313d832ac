-- threshold: temp_files.min_bytes=1000000
-- threshold: temp_files.min_day_bytes=1000000
-- expect: temp_files:database
SET work_mem = '64kB';
SELECT repeat('x', 100) || g AS x FROM generate_series(1, 30000) g ORDER BY x OFFSET 29999;
