-- The standbys of this server, at most 50.
SELECT r.application_name,
	coalesce(pg_catalog.host(r.client_addr), '') AS client_addr,
	coalesce(r.state, '') AS state,
	greatest(0, pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery()
			THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END,
		r.replay_lsn)) AS pg_stat_replication_pg_wal_lsn_diff,
	coalesce(EXTRACT(epoch FROM r.replay_lag), 0) AS pgmend_replica_lag_seconds
FROM pg_catalog.pg_stat_replication AS r
ORDER BY 4 DESC NULLS LAST, r.pid
LIMIT 50
