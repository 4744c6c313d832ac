-- Prepared transactions of the whole server: they hold locks, and belong to no session.
SELECT x.gid,
       x.transaction::text,
       pg_catalog.to_char(x.prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       EXTRACT(epoch FROM pg_catalog.clock_timestamp() - x.prepared),
       x.owner,
       x.database,
       pg_catalog.age(x.transaction)
  FROM pg_catalog.pg_prepared_xacts AS x
 ORDER BY x.prepared
