-- Every session of the server: what it is, what it does and since when. Times are in seconds, -1 where there
-- is none; the four timestamps identify a session and what it is doing to the microsecond.
SELECT a.pid,
       coalesce(a.leader_pid, 0),
       pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       pg_catalog.to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       pg_catalog.to_char(a.query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       pg_catalog.to_char(a.state_change AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       coalesce(EXTRACT(epoch FROM t.now - a.backend_start), -1),
       coalesce(EXTRACT(epoch FROM t.now - a.xact_start), -1),
       coalesce(EXTRACT(epoch FROM t.now - a.query_start), -1),
       coalesce(EXTRACT(epoch FROM t.now - a.state_change), -1),
       coalesce(EXTRACT(epoch FROM a.backend_start), 0),
       a.datname,
       a.usename,
       coalesce(a.application_name, ''),
       pg_catalog.host(a.client_addr),
       coalesce(a.client_port, 0),
       coalesce(a.backend_type, ''),
       coalesce(a.state, ''),
       coalesce(a.wait_event_type, ''),
       coalesce(a.wait_event, ''),
       coalesce(greatest(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid)), -1),
       coalesce(a.query, ''),
       a.pid = pg_catalog.pg_backend_pid(),
       coalesce(a.query = '<insufficient privilege>', false),
       coalesce(me.rolsuper
                OR (NOT coalesce(r.rolsuper, false)
                    AND (pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')
                         OR (a.usesysid IS NOT NULL AND pg_catalog.pg_has_role(a.usesysid, 'USAGE')))), false)
  FROM pg_catalog.pg_stat_activity AS a
 CROSS JOIN (SELECT pg_catalog.clock_timestamp() AS now) AS t
 CROSS JOIN (SELECT p.rolsuper FROM pg_catalog.pg_roles AS p WHERE p.rolname = current_user) AS me
  LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = a.usesysid
 ORDER BY a.backend_start, a.pid
