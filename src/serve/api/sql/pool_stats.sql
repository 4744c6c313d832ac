-- Connections of this database and of the server, as one JSON object.
SELECT pg_catalog.jsonb_build_object(
           'max_connections', pg_catalog.current_setting('max_connections')::integer,
           'reserved', pg_catalog.current_setting('superuser_reserved_connections')::integer,
           'server_connections', count(*),
           'connections', count(*) FILTER (WHERE a.datname = pg_catalog.current_database()),
           'active', count(*) FILTER (WHERE a.datname = pg_catalog.current_database() AND a.state = 'active'),
           'idle', count(*) FILTER (WHERE a.datname = pg_catalog.current_database() AND a.state = 'idle'),
           'idle_in_transaction', count(*) FILTER (WHERE a.datname = pg_catalog.current_database()
                                                     AND a.state LIKE 'idle in transaction%'),
           'waiting', count(*) FILTER (WHERE a.datname = pg_catalog.current_database()
                                         AND a.wait_event_type = 'Lock'),
           'use_ratio', pg_catalog.round(count(*)::numeric
                            / pg_catalog.current_setting('max_connections')::numeric, 4),
           'longest_transaction_s', coalesce(EXTRACT(epoch FROM pg_catalog.max(
               pg_catalog.clock_timestamp() - a.xact_start)
               FILTER (WHERE a.datname = pg_catalog.current_database())), 0)::double precision)
  FROM pg_catalog.pg_stat_activity AS a
 WHERE a.backend_type = 'client backend'
   AND a.pid <> pg_catalog.pg_backend_pid()
