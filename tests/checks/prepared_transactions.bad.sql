-- server: max_prepared_transactions=5
-- threshold: prepared_transactions.min_seconds=0
-- expect: prepared_transactions:o'clock
CREATE TABLE t (id int);
BEGIN;
INSERT INTO t VALUES (1);
PREPARE TRANSACTION 'o''clock';
