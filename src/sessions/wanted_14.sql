-- What each session waits for, and since when (seconds).
SELECT l.pid, l.mode,
       CASE WHEN c.oid IS NOT NULL AND l.locktype = 'relation' THEN pg_catalog.format('%I.%I', n.nspname, c.relname)
            WHEN c.oid IS NOT NULL THEN pg_catalog.format('a %s of %I.%I', l.locktype, n.nspname, c.relname)
            WHEN l.locktype = 'transactionid' THEN pg_catalog.format('the end of transaction %s', l.transactionid)
            WHEN l.locktype = 'virtualxid' THEN pg_catalog.format('the end of transaction %s', l.virtualxid)
            WHEN l.relation IS NOT NULL THEN pg_catalog.format('relation %s of database %s', l.relation, l.database)
            WHEN l.locktype = 'advisory' THEN pg_catalog.format('advisory lock %s, %s', l.classid, l.objid)
            ELSE l.locktype END,
       coalesce(EXTRACT(epoch FROM pg_catalog.clock_timestamp() - l.waitstart), -1)
  FROM pg_catalog.pg_locks AS l
  LEFT JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
        AND l.database IN (0, (SELECT d.oid
                                 FROM pg_catalog.pg_database AS d
                                WHERE d.datname = pg_catalog.current_database()))
  LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE NOT l.granted
