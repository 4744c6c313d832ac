-- Fast ones, a slow one that is rare, and what only maintains.
-- threshold: slow_statement.min_share=0.5
CREATE EXTENSION pg_stat_statements;
SELECT format('SELECT %s', n) FROM generate_series(1, 100) AS n \gexec
SELECT pg_sleep(0.03) AS rare, 1;
SELECT 'DO $$ BEGIN PERFORM pg_sleep(0.03); END $$' FROM generate_series(1, 22) \gexec
SELECT 'EXPLAIN ANALYZE SELECT pg_sleep(0.03)' FROM generate_series(1, 22) \gexec
-- as pgmend's own look in pg_stat_statements, before and since 18, which cuts leading comments
SELECT '/* pgmend */ SELECT /* pgmend */ pg_sleep(0.03) AS own' FROM generate_series(1, 22) \gexec
