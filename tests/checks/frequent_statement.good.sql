-- Frequent ones that are no look-ups of a row: a pool's ping, writes, and long lists; and one that is rare.
-- threshold: frequent_statement.min_calls=500
CREATE EXTENSION pg_stat_statements;
CREATE TABLE t (id int PRIMARY KEY, x text);
INSERT INTO t SELECT g, 'x' FROM generate_series(1, 1000) g;
SELECT 'SELECT 1' FROM generate_series(1, 600) AS n \gexec
SELECT format('UPDATE t SET x = %L WHERE id = %s', 'y', n) FROM generate_series(1, 600) AS n \gexec
SELECT format('SELECT x FROM t WHERE id BETWEEN %s AND %s', n, n + 9) FROM generate_series(1, 600) AS n \gexec
SELECT format('SELECT id FROM t WHERE id = %s', n) FROM generate_series(1, 100) AS n \gexec
