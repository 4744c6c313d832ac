-- Locks of one relation that do not hold each other up.
-- threshold: blocked_sessions.min_seconds=0
-- session a: BEGIN; UPDATE t SET id = 2 WHERE id = 1
-- session b: BEGIN; UPDATE t SET id = 4 WHERE id = 3
-- session c: SELECT * FROM t
CREATE TABLE t (id int);
INSERT INTO t VALUES (1), (3);
