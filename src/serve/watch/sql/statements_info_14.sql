-- Whether pg_stat_statements was reset, or has too little room.
SELECT i.dealloc AS pgmend_statements_dealloc_total,
	EXTRACT(epoch FROM i.stats_reset) AS pgmend_statements_stats_reset_seconds
FROM %s.pg_stat_statements_info AS i
