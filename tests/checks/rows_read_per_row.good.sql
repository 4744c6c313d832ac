-- What must read much for a row, what reads much for many, and a look-up by an index.
-- threshold: rows_read_per_row.min_blocks=100
-- threshold: rows_read_per_row.min_calls=20
-- threshold: rows_read_per_row.min_mean_ms=0.01
CREATE EXTENSION pg_stat_statements;
CREATE TABLE t (id int PRIMARY KEY, x text);
INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g;
SET max_parallel_workers_per_gather = 0;
SELECT 'SELECT count(*) FROM t' FROM generate_series(1, 30) AS n \gexec
SELECT 'SELECT DISTINCT x FROM t' FROM generate_series(1, 30) AS n \gexec
SELECT 'SELECT string_agg(x, $$$$) IS NULL FROM t' FROM generate_series(1, 30) AS n \gexec
SELECT 'SELECT x, id FROM t WHERE id > 18000' FROM generate_series(1, 30) AS n \gexec
SELECT format('SELECT x FROM t WHERE id = %s', n) FROM generate_series(1, 30) AS n \gexec
