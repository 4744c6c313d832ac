-- Where this server is in the WAL. A standby that has replayed all that it received is not behind, however
-- long ago the last transaction was.
SELECT CASE WHEN s.standby THEN 1 ELSE 0 END AS pg_replication_is_replica,
	CASE
		WHEN NOT s.standby THEN 0
		WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() THEN 0
		ELSE greatest(0, EXTRACT(epoch FROM pg_catalog.clock_timestamp()
			- pg_catalog.pg_last_xact_replay_timestamp()))
	END AS pg_replication_lag_seconds,
	pg_catalog.pg_wal_lsn_diff(CASE WHEN s.standby THEN pg_catalog.pg_last_wal_replay_lsn()
		ELSE pg_catalog.pg_current_wal_lsn() END, '0/0') AS pgmend_wal_position_bytes
FROM (SELECT pg_catalog.pg_is_in_recovery() AS standby) AS s
