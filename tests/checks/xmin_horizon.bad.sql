-- A session that keeps its snapshot while others work; the threshold makes up for the short while.
-- threshold: xmin_horizon.min_transactions=20
-- expect: xmin_horizon:session:postgres:holder
\setenv PGHOST :HOST
\setenv PGPORT :PORT
\setenv PGUSER :USER
\setenv PGDATABASE :DBNAME
\setenv PGAPPNAME holder
\! (echo 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; SELECT pg_sleep(600);' | psql -Xq) >/dev/null 2>&1 &
DO $$ BEGIN
	WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'holder'
			AND backend_xmin IS NOT NULL
			AND query LIKE '%pg_sleep%') LOOP
		PERFORM pg_stat_clear_snapshot(), pg_sleep(0.02);
	END LOOP;
END $$;
SELECT 'SELECT txid_current()' FROM generate_series(1, 30) \gexec
