-- Replication slots, at most 50, and the WAL that they keep.
SELECT s.slot_name,
	s.slot_type,
	CASE WHEN s.active THEN 1 ELSE 0 END AS pg_replication_slots_active,
	CASE WHEN s.active THEN 1 ELSE 0 END AS pg_replication_slot_slot_is_active,
	greatest(0, pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery()
			THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END,
		s.restart_lsn)) AS pg_replication_slots_pg_wal_lsn_diff,
	s.safe_wal_size AS pg_replication_slot_safe_wal_size_bytes,
	CASE WHEN s.wal_status IN ('unreserved', 'lost') THEN 1 ELSE 0 END AS pgmend_replication_slot_lost
FROM pg_catalog.pg_replication_slots AS s
ORDER BY 5 DESC NULLS LAST, s.slot_name
LIMIT 50
