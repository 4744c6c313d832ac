-- Is the session with process id $1 that began at $2 still there, and in the statement that began at $3?
SELECT coalesce(a.state IN ('active', 'fastpath function call') AND a.query_start = $3::timestamptz, false)
  FROM pg_catalog.pg_stat_activity AS a
 WHERE a.pid = $1::integer
   AND a.backend_start = $2::timestamptz
