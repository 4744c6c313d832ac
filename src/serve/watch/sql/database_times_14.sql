-- What the sessions of this database did with their time.
SELECT d.datid,
	d.datname,
	d.active_time / 1000 AS pg_stat_database_active_time_seconds_total,
	d.session_time / 1000 AS pgmend_database_session_time_seconds_total,
	d.idle_in_transaction_time / 1000 AS pgmend_database_idle_in_transaction_time_seconds_total,
	d.sessions AS pgmend_database_sessions_total,
	d.sessions_abandoned AS pgmend_database_sessions_abandoned_total,
	d.sessions_fatal AS pgmend_database_sessions_fatal_total,
	d.sessions_killed AS pgmend_database_sessions_killed_total
FROM pg_catalog.pg_stat_database AS d
WHERE d.datname = pg_catalog.current_database()
