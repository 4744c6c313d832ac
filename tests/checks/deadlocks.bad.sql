-- expect: deadlocks:database
-- session a: BEGIN; UPDATE t SET x = 1 WHERE id = 1
-- session b: BEGIN; UPDATE t SET x = 1 WHERE id = 2
-- session a: UPDATE t SET x = 1 WHERE id = 2
-- session b: UPDATE t SET x = 1 WHERE id = 1
CREATE TABLE t (id int PRIMARY KEY, x int);
INSERT INTO t VALUES (1), (2);
-- session a: ROLLBACK
