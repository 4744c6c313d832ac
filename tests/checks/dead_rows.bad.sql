-- Statistics of a test are young, so nothing is waited for.
-- threshold: dead_rows.wait_minutes=0
-- threshold: dead_rows.min_dead=1000
-- expect: dead_rows:public.d01
-- expect: dead_rows:public.d02
CREATE TABLE d01 (x int) WITH (autovacuum_enabled = false);
INSERT INTO d01 SELECT generate_series(1, 5000);
UPDATE d01 SET x = x + 1; UPDATE d01 SET x = x + 1;
-- by its own settings
CREATE TABLE d02 (x int) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100,
	autovacuum_enabled = false);
INSERT INTO d02 SELECT generate_series(1, 5000);
-- a session's counts arrive some time after its end
\c
DO $$ BEGIN
	WHILE (SELECT sum(n_tup_ins + n_tup_upd) FROM pg_stat_user_tables) < 20000 LOOP
		PERFORM pg_stat_clear_snapshot(), pg_sleep(0.02);
	END LOOP;
END $$;
VACUUM d02;
DELETE FROM d02 WHERE x % 4 = 0;
