-- Who holds the lock of the one runner in this database.
SELECT l.pid,
       coalesce(nullif(a.application_name, ''), 'a session'),
       coalesce(a.usename::text, '?'),
       coalesce(pg_catalog.to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS'), '?')
  FROM pg_catalog.pg_locks AS l
  LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
 WHERE l.locktype = 'advisory'
   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
   AND l.classid = 1885826404
   AND l.objid = 1
   AND l.granted
