-- The statements of this database, without their texts (they are in a file that the server would read whole);
-- up to PostgreSQL 16. queryid is NULL of others' statements that we may not see.
SELECT s.queryid,
	pg_catalog.sum(s.calls) AS calls,
	pg_catalog.sum(s.rows) AS rows,
	pg_catalog.sum(s.total_exec_time) AS total_ms,
	pg_catalog.sum(s.shared_blks_hit) AS hit_blocks,
	pg_catalog.sum(s.shared_blks_read) AS read_blocks,
	pg_catalog.sum(s.temp_blks_read + s.temp_blks_written) AS temp_blocks,
	pg_catalog.sum(s.blk_read_time) AS read_ms,
	pg_catalog.sum(s.blk_write_time) AS write_ms,
	CASE WHEN min(s.userid) = max(s.userid) THEN pg_catalog.pg_get_userbyid(min(s.userid)) ELSE '' END AS username
FROM %s.pg_stat_statements(false) AS s
WHERE s.dbid = $1::pg_catalog.oid
GROUP BY s.queryid
ORDER BY 4 DESC
LIMIT $2::pg_catalog.int8
