-- A look-up by key for each row of a list.
-- threshold: frequent_statement.min_calls=500
-- threshold: frequent_statement.max_mean_ms=50
-- expect: frequent_statement:*
CREATE EXTENSION pg_stat_statements;
CREATE TABLE t (id int PRIMARY KEY, x text);
INSERT INTO t SELECT g, 'x' FROM generate_series(1, 1000) g;
SELECT format('SELECT x FROM t WHERE id = %s', n) FROM generate_series(1, 1000) AS n \gexec
