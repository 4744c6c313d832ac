-- id: replication_slots
-- title: Replication slot that keeps WAL or rows
-- family: cluster
-- severity: warning
-- versions: 13-
-- threshold: min_bytes 1073741824 | an inactive slot keeps so much WAL...
-- threshold: critical_bytes 53687091200 | ...critical from so much on, where nothing limits it
-- threshold: min_xmin_age 1000000 | or it holds back vacuum for so many transactions
-- probe: inactive_since pg_replication_slots.inactive_since ? s.inactive_since : NULL::pg_catalog.timestamptz
-- probe: synced pg_replication_slots.synced ? s.synced : false
--
-- Slots whose client is gone. The server keeps all WAL for it, until the disk is full or
-- max_slot_wal_keep_size is reached; a slot with an xmin holds back vacuum as well. And slots that have lost
-- WAL already, with which a client cannot go on.
WITH
here AS MATERIALIZED (
	SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
	       ELSE pg_catalog.pg_current_wal_lsn() END AS lsn,
	       pg_catalog.current_setting('max_slot_wal_keep_size') AS keep
),
slot AS (
	SELECT s.slot_name, s.slot_type, s.plugin, s.database, s.active, s.wal_status, h.keep,
	       :inactive_since AS inactive_since,
	       GREATEST(pg_catalog.pg_wal_lsn_diff(h.lsn, s.restart_lsn), 0)::pg_catalog.float8 AS bytes,
	       GREATEST(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin), 0) AS xmin_age
	FROM pg_catalog.pg_replication_slots AS s
	CROSS JOIN here AS h
	WHERE NOT s.temporary
	-- on a standby: the primary's, kept up to date by the server itself
	AND NOT :synced
),
found AS (
	SELECT s.*,
	       COALESCE(s.wal_status = 'lost', false) AS lost,
	       COALESCE(s.wal_status = 'unreserved', false) AS losing
	FROM slot AS s
)
SELECT NULL AS schema,
       pg_catalog.format('slot %I', f.slot_name) AS object,
       CASE WHEN NOT f.lost AND NOT f.active AND f.keep = '-1'
	AND f.bytes >= :critical_bytes::pg_catalog.float8
		THEN 'critical' ELSE 'warning' END AS severity,
       CASE WHEN f.lost THEN 'WAL that it needs is gone: its client cannot go on.'
       ELSE pg_catalog.format('%s; it keeps %s of WAL (status %s, max_slot_wal_keep_size %s)%s.',
		CASE WHEN f.active THEN 'Its client is connected'
		ELSE 'No client is connected'
			|| COALESCE(pg_catalog.to_char(f.inactive_since AT TIME ZONE 'UTC',
			'" since "YYYY-MM-DD HH24:MI" UTC"'), '') END,
		pg_catalog.pg_size_pretty(f.bytes::pg_catalog.int8), COALESCE(f.wal_status, 'unknown'),
			f.keep,
		CASE WHEN f.xmin_age > 0 THEN pg_catalog.format(
			', and vacuum keeps what died in the last %s transactions', f.xmin_age) ELSE '' END)
       END AS detail,
       CASE WHEN f.active THEN 'See why its client is slow; it is about to lose WAL (max_slot_wal_keep_size).'
       ELSE pg_catalog.format(E'-- when its client does not come back:\nSELECT pg_drop_replication_slot(%L);',
		f.slot_name) END AS remedy,
       pg_catalog.format('replication_slots:%I', f.slot_name) AS ignore_key,
       f.bytes AS impact,
       pg_catalog.jsonb_build_object(
		'slot_type', f.slot_type,
		'plugin', f.plugin,
		'database', f.database,
		'active', f.active,
		'wal_status', f.wal_status,
		'kept_bytes', f.bytes,
		'xmin_age', f.xmin_age,
		'inactive_since', f.inactive_since
       ) AS evidence
FROM found AS f
WHERE f.lost
OR f.losing
OR (NOT f.active AND f.bytes >= GREATEST(:min_bytes::pg_catalog.float8, 1))
OR (NOT f.active AND f.xmin_age >= GREATEST(:min_xmin_age::pg_catalog.float8, 1))
