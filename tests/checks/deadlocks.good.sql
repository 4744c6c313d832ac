-- One waits for the other, and gets what it wants.
-- session a: BEGIN; UPDATE t SET x = 1 WHERE id = 1
-- session b: UPDATE t SET x = 1 WHERE id = 1
-- session a: COMMIT
CREATE TABLE t (id int PRIMARY KEY, x int);
INSERT INTO t VALUES (1), (2);
