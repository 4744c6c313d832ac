-- needs: SELECT pg_jit_available()
-- threshold: jit_overhead.min_compiled=5
-- threshold: jit_overhead.min_jit_ms=0.1
-- expect: jit_overhead:*
CREATE EXTENSION pg_stat_statements;
CREATE TABLE t (id int, x text);
INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100) g;
SET jit = on;
SET jit_above_cost = 0;
SET jit_optimize_above_cost = 0;
SELECT format('SELECT x FROM t WHERE id + 1 = %s', n) FROM generate_series(1, 10) AS n \gexec
