-- A statement that takes 30 ms each time.
-- threshold: slow_statement.min_total_ms=600000
-- expect: slow_statement:*
CREATE EXTENSION pg_stat_statements;
SELECT format('SELECT pg_sleep(0.03), %L', 'secret' || n) FROM generate_series(1, 22) AS n \gexec
