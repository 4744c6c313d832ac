-- threshold: long_running.min_seconds=0
-- expect: long_running:postgres:
-- session a: SELECT pg_sleep(600), 'a secret 4711'
SELECT 1;
