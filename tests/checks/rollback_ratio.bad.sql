-- threshold: rollback_ratio.min_transactions=100
-- expect: rollback_ratio:database
SELECT 'BEGIN; SELECT 1; ROLLBACK' FROM generate_series(1, 200) \gexec
