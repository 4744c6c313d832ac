-- Statistics of a test are young, so nothing is waited for; autovacuum keeps off.
-- threshold: stale_statistics.wait_minutes=0
-- threshold: stale_statistics.min_rows=1000
-- expect: stale_statistics:public.s01
-- expect: stale_statistics:public.s02
-- expect: stale_statistics:public.s03
CREATE TABLE s01 (x int) WITH (autovacuum_enabled = false);
INSERT INTO s01 SELECT generate_series(1, 5000);
-- never
CREATE TABLE s02 (x int) WITH (autovacuum_enabled = false); INSERT INTO s02 SELECT generate_series(1, 5000);
-- partitions were, the whole was not
CREATE TABLE s03 (k int, x int) PARTITION BY RANGE (k);
CREATE TABLE s03_1 PARTITION OF s03 FOR VALUES FROM (0) TO (10) WITH (autovacuum_enabled = false);
CREATE TABLE s03_2 PARTITION OF s03 FOR VALUES FROM (10) TO (20) WITH (autovacuum_enabled = false);
INSERT INTO s03 SELECT g % 20, g FROM generate_series(1, 5000) g;
-- a session's counts arrive some time after its end
\c
DO $$ BEGIN
	WHILE (SELECT sum(n_tup_ins) FROM pg_stat_user_tables) < 15000 LOOP
		PERFORM pg_stat_clear_snapshot(), pg_sleep(0.02);
	END LOOP;
END $$;
ANALYZE s03_1; ANALYZE s03_2;
ANALYZE s01;
INSERT INTO s01 SELECT generate_series(1, 15000);
