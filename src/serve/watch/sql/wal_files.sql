-- The WAL on disk; takes pg_monitor.
SELECT pg_catalog.count(*) AS pg_wal_segments,
	coalesce(pg_catalog.sum(w.size), 0) AS pg_wal_size_bytes
FROM pg_catalog.pg_ls_waldir() AS w
WHERE w.name ~ '^[0-9A-F]{24}$'
