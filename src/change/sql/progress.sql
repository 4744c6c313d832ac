-- How a session's statement goes on. $1: its pid. No row: the session is gone.
SELECT a.state,
       coalesce(a.wait_event_type = 'Lock', false) AS waits,
       p.phase,
       p.blocks_done, p.blocks_total, p.tuples_done, p.tuples_total,
       CASE WHEN a.wait_event_type = 'Lock' THEN
           (SELECT pg_catalog.string_agg(
                       CASE WHEN b.pid = 0 THEN 'a prepared transaction'
                            ELSE pg_catalog.format('pid %s', b.pid)
                                 || coalesce(' (' || nullif(pg_catalog.concat_ws(', ',
                                        nullif(h.application_name, ''), h.usename::text, h.state,
                                        'for ' || pg_catalog.date_trunc('second',
                                            pg_catalog.clock_timestamp() - coalesce(h.xact_start, h.query_start))::text),
                                    '') || ')', '')
                       END, ', ')
              FROM (SELECT DISTINCT pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS pid) AS b
              LEFT JOIN pg_catalog.pg_stat_activity AS h ON h.pid = b.pid)
       END AS blockers
  FROM pg_catalog.pg_stat_activity AS a
  LEFT JOIN pg_catalog.pg_stat_progress_create_index AS p ON p.pid = a.pid
 WHERE a.pid = $1::integer
   AND ($2::timestamptz IS NULL OR a.backend_start IS NULL OR a.backend_start = $2::timestamptz)
