-- 3,000 statements, of which it keeps 100.
-- server: pg_stat_statements.max=100
-- needs: SELECT count(*) = 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'
-- expect: statements_evicted:server
CREATE EXTENSION pg_stat_statements;
SELECT 'SELECT 1' || repeat(', 1', n) FROM generate_series(1, 1000) AS n \gexec
SELECT 'SELECT 1.5' || repeat(', 1', n) FROM generate_series(1, 1000) AS n \gexec
