-- What does not run, what maintains, and what waits for a lock.
-- threshold: long_running.min_seconds=0
-- session a: BEGIN; LOCK TABLE t
-- session b: SELECT * FROM t
-- session c: /* x */ CREATE INDEX ON t (pause(id))
-- session d: SELECT 1
CREATE TABLE t (id int);
CREATE FUNCTION pause(int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT 1 FROM pg_sleep(600) $$;
