-- threshold: dead_rows.wait_minutes=0
-- threshold: dead_rows.min_dead=1000
CREATE TABLE e01 (x int); INSERT INTO e01 SELECT generate_series(1, 5000); UPDATE e01 SET x = x + 1;
-- a session's counts arrive some time after its end
\c
DO $$ BEGIN
	WHILE (SELECT sum(n_tup_ins + n_tup_upd) FROM pg_stat_user_tables) < 10000 LOOP
		PERFORM pg_stat_clear_snapshot(), pg_sleep(0.02);
	END LOOP;
END $$;
VACUUM e01;
-- not yet due
CREATE TABLE e02 (x int) WITH (autovacuum_vacuum_threshold = 100000);
INSERT INTO e02 SELECT generate_series(1, 5000); DELETE FROM e02;
-- few
CREATE TABLE e03 (x int) WITH (autovacuum_enabled = false);
INSERT INTO e03 SELECT generate_series(1, 500); DELETE FROM e03;
-- aborted inserts are counted until the next vacuum
CREATE TABLE e04 (x int); INSERT INTO e04 SELECT generate_series(1, 5000);
