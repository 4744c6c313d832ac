-- threshold: rollback_ratio.min_transactions=100
SELECT 'BEGIN; SELECT 1; COMMIT' FROM generate_series(1, 200) \gexec
BEGIN;
ROLLBACK;
