-- End ($1 terminate) or cancel ($1 cancel) the session with process id $2 that began at $3, if it is still
-- doing what it did when it was chosen: $4 its transaction, $5 its statement, $6 its state began then (each
-- may be NULL: then it does not matter). No row: there is no such session any more, or it went on.
SELECT CASE WHEN $1 = 'terminate' THEN pg_catalog.pg_terminate_backend(a.pid)
            ELSE pg_catalog.pg_cancel_backend(a.pid) END
  FROM pg_catalog.pg_stat_activity AS a
 WHERE a.pid = $2::integer
   AND a.backend_start = $3::timestamptz
   AND ($4::timestamptz IS NULL OR a.xact_start = $4::timestamptz)
   AND ($5::timestamptz IS NULL OR a.query_start = $5::timestamptz)
   AND ($6::timestamptz IS NULL OR a.state_change = $6::timestamptz)
