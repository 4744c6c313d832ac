-- A queue: b waits for a; c and d wait for b, and d for a too.
-- threshold: blocked_sessions.min_seconds=0
-- expect: blocked_sessions:postgres:root
-- session a: SET application_name = root
-- session a: BEGIN; UPDATE t SET id = 2
-- session b: ALTER TABLE t ADD x int
-- session c: SELECT * FROM t
-- session d: UPDATE t SET id = 3
CREATE TABLE t (id int);
INSERT INTO t VALUES (1);
