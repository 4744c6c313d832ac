-- The server: how long it runs, its main settings and who replicates from it, as one JSON object.
SELECT pg_catalog.jsonb_build_object(
           'version', pg_catalog.current_setting('server_version'),
           'standby', pg_catalog.pg_is_in_recovery(),
           'started_at', pg_catalog.pg_postmaster_start_time(),
           'uptime_s', pg_catalog.date_part('epoch',
                           pg_catalog.clock_timestamp() - pg_catalog.pg_postmaster_start_time()),
           'settings', (SELECT pg_catalog.jsonb_object_agg(s.name, pg_catalog.current_setting(s.name))
                          FROM pg_catalog.pg_settings AS s
                         WHERE s.name IN ('shared_buffers', 'work_mem', 'maintenance_work_mem',
                                          'effective_cache_size', 'max_connections', 'max_wal_size',
                                          'checkpoint_timeout', 'random_page_cost', 'autovacuum',
                                          'wal_level', 'synchronous_commit', 'fsync')),
           'replicas', (SELECT count(*) FROM pg_catalog.pg_stat_replication),
           'oldest_transaction_age', (SELECT pg_catalog.max(pg_catalog.age(d.datfrozenxid))
                                        FROM pg_catalog.pg_database AS d))
