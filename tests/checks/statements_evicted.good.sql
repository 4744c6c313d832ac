-- The same statement 1,000 times.
-- server: pg_stat_statements.max=100
-- needs: SELECT count(*) = 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'
CREATE EXTENSION pg_stat_statements;
SELECT format('SELECT %s', n) FROM generate_series(1, 1000) AS n \gexec
