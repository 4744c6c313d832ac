SELECT s.query,
	s.calls,
	s.total_exec_time,
	s.rows,
	s.queryid
FROM %s.pg_stat_statements s
WHERE s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
	AND s.query IS NOT NULL
	AND s.query NOT LIKE '%%/* pgmend */%%'
	AND s.query NOT LIKE 'EXPLAIN%%'
ORDER BY s.total_exec_time DESC
LIMIT %zu
