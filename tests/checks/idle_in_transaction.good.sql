-- Idle without a transaction, in one that is younger than the threshold, and in one that works.
-- threshold: idle_in_transaction.min_seconds=3600
-- session a: SELECT 1
-- session b: BEGIN
-- session c: BEGIN; SELECT pg_sleep(600)
SELECT 1;
