-- Who writes buffers; up to PostgreSQL 16.
SELECT b.checkpoints_timed AS pg_stat_bgwriter_checkpoints_timed_total,
	b.checkpoints_req AS pg_stat_bgwriter_checkpoints_req_total,
	b.checkpoint_write_time AS pg_stat_bgwriter_checkpoint_write_time_total,
	b.checkpoint_sync_time AS pg_stat_bgwriter_checkpoint_sync_time_total,
	b.buffers_checkpoint AS pg_stat_bgwriter_buffers_checkpoint_total,
	b.buffers_clean AS pg_stat_bgwriter_buffers_clean_total,
	b.maxwritten_clean AS pg_stat_bgwriter_maxwritten_clean_total,
	b.buffers_backend AS pg_stat_bgwriter_buffers_backend_total,
	b.buffers_backend_fsync AS pg_stat_bgwriter_buffers_backend_fsync_total,
	b.buffers_alloc AS pg_stat_bgwriter_buffers_alloc_total,
	EXTRACT(epoch FROM b.stats_reset) AS pg_stat_bgwriter_stats_reset_total
FROM pg_catalog.pg_stat_bgwriter AS b
