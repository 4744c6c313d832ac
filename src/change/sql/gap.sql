-- One session that holds a lock on one of the relations $1 (an array of names) or $4 (an oid) in a transaction that
-- began more than $2 ms ago: it is not likely to end within a short try for an exclusive lock. $3: our own sessions.
-- $5: also on what foreign keys of $4 refer to.
SELECT pg_catalog.format('pid %s (%s) holds %s on %s', a.pid,
                         pg_catalog.concat_ws(', ', nullif(a.application_name, ''), a.usename::text, a.state,
                             'transaction of '
                             || pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - a.xact_start)::text),
                         l.mode, l.relation::pg_catalog.regclass),
       a.backend_type = 'autovacuum worker',
       l.relation::pg_catalog.regclass
  FROM pg_catalog.pg_locks AS l
  JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
 WHERE l.locktype = 'relation'
   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
   AND l.relation IN (SELECT pg_catalog.to_regclass(n.name)::oid FROM pg_catalog.unnest($1::text[]) AS n (name)
                       UNION ALL
                      SELECT $4::oid
                       UNION ALL
                      SELECT k.confrelid
                        FROM pg_catalog.pg_constraint AS k
                       WHERE k.conrelid = $4::oid
                         AND k.contype = 'f'
                         AND $5::boolean)
   AND l.granted
   AND l.pid <> ALL ($3::integer[])
   AND a.xact_start < pg_catalog.clock_timestamp() - $2::double precision * interval '1 ms'
 ORDER BY a.xact_start
 LIMIT 1
