-- The checkpointer's own view.
SELECT c.num_timed AS pg_stat_checkpointer_num_timed_total,
	c.num_requested AS pg_stat_checkpointer_num_requested_total,
	c.restartpoints_timed AS pg_stat_checkpointer_restartpoints_timed_total,
	c.restartpoints_req AS pg_stat_checkpointer_restartpoints_req_total,
	c.restartpoints_done AS pg_stat_checkpointer_restartpoints_done_total,
	c.write_time AS pg_stat_checkpointer_write_time_total,
	c.sync_time AS pg_stat_checkpointer_sync_time_total,
	c.buffers_written AS pg_stat_checkpointer_buffers_written_total,
	EXTRACT(epoch FROM c.stats_reset) AS pg_stat_checkpointer_stats_reset_total
FROM pg_catalog.pg_stat_checkpointer AS c
