-- Sessions that a step would wait for. $1: the relation, $2: true for an exclusive lock, false for a
-- concurrent build, $3: our own sessions.
WITH holders AS (
    SELECT l.pid,
           CASE WHEN l.pid IS NULL THEN 'a prepared transaction ' ELSE '' END || 'holds ' || l.mode AS why
      FROM pg_catalog.pg_locks AS l
     WHERE l.locktype = 'relation'
       AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
       AND l.relation = $1::oid
       AND l.granted
       AND ($2::boolean OR l.mode NOT IN ('AccessShareLock', 'RowShareLock'))
     UNION ALL
    SELECT a.pid, 'has an old snapshot'
      FROM pg_catalog.pg_stat_activity AS a
     WHERE NOT $2::boolean
       AND a.datname = pg_catalog.current_database()
       AND a.backend_xmin IS NOT NULL
       AND pg_catalog.clock_timestamp() - a.xact_start > interval '1 second'
       AND a.backend_type = 'client backend'
     UNION ALL
    SELECT NULL, 'prepared transaction ' || pg_catalog.quote_literal(x.gid) || ' since ' || x.prepared::text
      FROM pg_catalog.pg_prepared_xacts AS x
     WHERE NOT $2::boolean
       AND x.database = pg_catalog.current_database()
)
SELECT coalesce('pid ' || h.pid
                || coalesce(' (' || nullif(pg_catalog.concat_ws(', ', nullif(a.application_name, ''),
                       a.usename::text, a.state, 'transaction of '
                       || pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - a.xact_start)::text),
                   '') || ')', '')
                || ' ', '')
       || pg_catalog.string_agg(DISTINCT h.why, ', ')
  FROM holders AS h
  LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = h.pid
 WHERE h.pid IS NULL
    OR h.pid <> ALL ($3::integer[])
 GROUP BY h.pid, a.application_name, a.usename, a.state, a.xact_start
 ORDER BY 1
 LIMIT 20
