-- Settings as numbers: switches as 0 and 1, sizes in bytes, times in seconds; -1 (off, default) stays.
WITH setting AS (
	SELECT s.name,
		CASE
			WHEN s.vartype = 'bool' THEN CASE s.setting WHEN 'on' THEN 1 ELSE 0 END
			WHEN s.setting = '-1' THEN -1
			ELSE s.setting::pg_catalog.float8 * CASE s.unit
				WHEN 'kB' THEN 1024
				WHEN '4kB' THEN 4096
				WHEN '8kB' THEN 8192
				WHEN '16kB' THEN 16384
				WHEN '32kB' THEN 32768
				WHEN 'MB' THEN 1048576
				WHEN 'ms' THEN 0.001
				WHEN 'min' THEN 60
				ELSE 1
			END
		END AS value
	FROM pg_catalog.pg_settings AS s
	WHERE s.vartype IN ('bool', 'integer', 'real')
)
SELECT max(value) FILTER (WHERE name = 'autovacuum') AS pg_settings_autovacuum,
	max(value) FILTER (WHERE name = 'autovacuum_freeze_max_age') AS pg_settings_autovacuum_freeze_max_age,
	max(value) FILTER (WHERE name = 'autovacuum_max_workers') AS pg_settings_autovacuum_max_workers,
	max(value) FILTER (WHERE name = 'checkpoint_completion_target') AS pg_settings_checkpoint_completion_target,
	max(value) FILTER (WHERE name = 'checkpoint_timeout') AS pg_settings_checkpoint_timeout_seconds,
	max(value) FILTER (WHERE name = 'default_statistics_target') AS pg_settings_default_statistics_target,
	max(value) FILTER (WHERE name = 'effective_cache_size') AS pg_settings_effective_cache_size_bytes,
	max(value) FILTER (WHERE name = 'fsync') AS pg_settings_fsync,
	max(value) FILTER (WHERE name = 'maintenance_work_mem') AS pg_settings_maintenance_work_mem_bytes,
	max(value) FILTER (WHERE name = 'max_connections') AS pg_settings_max_connections,
	max(value) FILTER (WHERE name = 'max_locks_per_transaction') AS pg_settings_max_locks_per_transaction,
	max(value) FILTER (WHERE name = 'max_parallel_workers') AS pg_settings_max_parallel_workers,
	max(value) FILTER (WHERE name = 'max_prepared_transactions') AS pg_settings_max_prepared_transactions,
	max(value) FILTER (WHERE name = 'max_replication_slots') AS pg_settings_max_replication_slots,
	max(value) FILTER (WHERE name = 'max_wal_senders') AS pg_settings_max_wal_senders,
	max(value) FILTER (WHERE name = 'max_wal_size') AS pg_settings_max_wal_size_bytes,
	max(value) FILTER (WHERE name = 'max_worker_processes') AS pg_settings_max_worker_processes,
	max(value) FILTER (WHERE name = 'random_page_cost') AS pg_settings_random_page_cost,
	max(value) FILTER (WHERE name = 'seq_page_cost') AS pg_settings_seq_page_cost,
	max(value) FILTER (WHERE name = 'shared_buffers') AS pg_settings_shared_buffers_bytes,
	max(value) FILTER (WHERE name = 'superuser_reserved_connections')
		AS pg_settings_superuser_reserved_connections,
	max(value) FILTER (WHERE name = 'track_io_timing') AS pg_settings_track_io_timing,
	max(value) FILTER (WHERE name = 'wal_buffers') AS pg_settings_wal_buffers_bytes,
	max(value) FILTER (WHERE name = 'work_mem') AS pg_settings_work_mem_bytes
FROM setting
