-- A sort of some megabytes with the least work_mem.
-- threshold: spilling_statement.min_bytes=1000000
-- expect: spilling_statement:*
CREATE EXTENSION pg_stat_statements;
SET work_mem = '64kB';
SELECT repeat('x', 100) || g AS x FROM generate_series(1, 30000) g ORDER BY x OFFSET 29999;
