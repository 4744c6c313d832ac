-- The counters of this database.
SELECT d.datid,
	d.datname,
	d.numbackends AS pg_stat_database_numbackends,
	d.xact_commit AS pg_stat_database_xact_commit,
	d.xact_rollback AS pg_stat_database_xact_rollback,
	d.blks_read AS pg_stat_database_blks_read,
	d.blks_hit AS pg_stat_database_blks_hit,
	d.tup_returned AS pg_stat_database_tup_returned,
	d.tup_fetched AS pg_stat_database_tup_fetched,
	d.tup_inserted AS pg_stat_database_tup_inserted,
	d.tup_updated AS pg_stat_database_tup_updated,
	d.tup_deleted AS pg_stat_database_tup_deleted,
	d.conflicts AS pg_stat_database_conflicts,
	d.temp_files AS pg_stat_database_temp_files,
	d.temp_bytes AS pg_stat_database_temp_bytes,
	d.deadlocks AS pg_stat_database_deadlocks,
	d.blk_read_time AS pg_stat_database_blk_read_time,
	d.blk_write_time AS pg_stat_database_blk_write_time,
	EXTRACT(epoch FROM d.stats_reset) AS pg_stat_database_stats_reset,
	d.checksum_failures AS pgmend_database_checksum_failures_total
FROM pg_catalog.pg_stat_database AS d
WHERE d.datname = pg_catalog.current_database()
