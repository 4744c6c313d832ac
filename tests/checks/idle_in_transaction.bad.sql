-- One that does nothing else, one that has written and holds up another, one that has only read.
-- threshold: idle_in_transaction.min_seconds=0
-- threshold: idle_in_transaction.critical_seconds=0
-- expect: idle_in_transaction:postgres:
-- expect: idle_in_transaction:postgres:shop
-- expect: idle_in_transaction:postgres:reader
-- session a: BEGIN
-- session b: SET application_name = shop
-- session b: BEGIN; UPDATE t SET id = 2 WHERE id = 4711
-- session c: ALTER TABLE t ADD x int
-- session d: SET application_name = reader
-- session d: BEGIN; SELECT 1
CREATE TABLE t (id int);
INSERT INTO t VALUES (4711);
