-- Who writes buffers, under the names of old: the checkpointer has a view of its own now, and backends are
-- counted in pg_stat_io.
SELECT c.num_timed AS pg_stat_bgwriter_checkpoints_timed_total,
	c.num_requested AS pg_stat_bgwriter_checkpoints_req_total,
	c.write_time AS pg_stat_bgwriter_checkpoint_write_time_total,
	c.sync_time AS pg_stat_bgwriter_checkpoint_sync_time_total,
	c.buffers_written AS pg_stat_bgwriter_buffers_checkpoint_total,
	b.buffers_clean AS pg_stat_bgwriter_buffers_clean_total,
	b.maxwritten_clean AS pg_stat_bgwriter_maxwritten_clean_total,
	i.writes AS pg_stat_bgwriter_buffers_backend_total,
	i.fsyncs AS pg_stat_bgwriter_buffers_backend_fsync_total,
	b.buffers_alloc AS pg_stat_bgwriter_buffers_alloc_total,
	EXTRACT(epoch FROM b.stats_reset) AS pg_stat_bgwriter_stats_reset_total
FROM pg_catalog.pg_stat_bgwriter AS b
CROSS JOIN pg_catalog.pg_stat_checkpointer AS c
CROSS JOIN (SELECT pg_catalog.sum(o.writes) AS writes, pg_catalog.sum(o.fsyncs) AS fsyncs
	FROM pg_catalog.pg_stat_io AS o
	WHERE o.backend_type = 'client backend' AND o.object = 'relation') AS i
