-- A sequential scan for one row, and one that finds none.
-- threshold: rows_read_per_row.min_blocks=100
-- threshold: rows_read_per_row.min_calls=20
-- threshold: rows_read_per_row.min_mean_ms=0.01
-- expect: rows_read_per_row:*
-- expect: rows_read_per_row:*
CREATE EXTENSION pg_stat_statements;
CREATE TABLE t (id int, x text);
INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g;
SET max_parallel_workers_per_gather = 0;
SELECT format('SELECT x FROM t WHERE id = %s', n) FROM generate_series(1, 30) AS n \gexec
SELECT format('UPDATE t SET x = %L WHERE id = %s', 'y', -n) FROM generate_series(1, 30) AS n \gexec
