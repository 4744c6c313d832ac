-- The same sort in memory; and what only maintains may write temporary files.
-- threshold: spilling_statement.min_bytes=1000000
CREATE EXTENSION pg_stat_statements;
SET work_mem = '64MB';
SELECT repeat('x', 100) || g AS x FROM generate_series(1, 30000) g ORDER BY x OFFSET 29999;
CREATE TABLE t AS SELECT repeat('x', 100) || g AS x FROM generate_series(1, 30000) g;
SET maintenance_work_mem = '1MB';
SET max_parallel_maintenance_workers = 0;
CREATE INDEX ON t (x);
