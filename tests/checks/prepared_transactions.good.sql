-- One that has ended, and one that is young.
-- server: max_prepared_transactions=5
CREATE TABLE t (id int);
BEGIN;
INSERT INTO t VALUES (1);
PREPARE TRANSACTION 'ended';
COMMIT PREPARED 'ended';
BEGIN;
INSERT INTO t VALUES (1);
PREPARE TRANSACTION 'young';
