-- threshold: stale_statistics.wait_minutes=0
-- threshold: stale_statistics.min_rows=1000
CREATE TABLE t01 (x int); INSERT INTO t01 SELECT generate_series(1, 5000);
CREATE TABLE t02 (x int) WITH (autovacuum_analyze_scale_factor = 10);
INSERT INTO t02 SELECT generate_series(1, 5000);
-- small, empty
CREATE TABLE t03 (x int) WITH (autovacuum_enabled = false); INSERT INTO t03 SELECT generate_series(1, 500);
CREATE TABLE t04 (x int);
-- partitioned and analyzed as a whole
CREATE TABLE t05 (k int, x int) PARTITION BY RANGE (k);
CREATE TABLE t05_1 PARTITION OF t05 FOR VALUES FROM (0) TO (10);
INSERT INTO t05 SELECT g % 10, g FROM generate_series(1, 5000) g;
-- a session's counts arrive some time after its end
\c
DO $$ BEGIN
	WHILE (SELECT sum(n_tup_ins) FROM pg_stat_user_tables) < 15500 LOOP
		PERFORM pg_stat_clear_snapshot(), pg_sleep(0.02);
	END LOOP;
END $$;
ANALYZE t01, t02, t05;
-- changed, but fewer rows than make autovacuum come; then by the table's own setting
INSERT INTO t01 SELECT generate_series(1, 600);
INSERT INTO t02 SELECT generate_series(1, 20000);
