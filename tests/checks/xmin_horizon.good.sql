-- A transaction that has ended holds nothing.
-- threshold: xmin_horizon.min_transactions=20
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT txid_current(); COMMIT;
SELECT 'SELECT txid_current()' FROM generate_series(1, 30) \gexec
