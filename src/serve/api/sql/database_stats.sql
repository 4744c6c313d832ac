-- The counters of this database since they were last reset, as one JSON object.
SELECT pg_catalog.jsonb_build_object(
           'database', d.datname,
           'version', pg_catalog.current_setting('server_version'),
           'size_bytes', CASE WHEN pg_catalog.has_database_privilege(d.datid, 'CONNECT')
                              THEN pg_catalog.pg_database_size(d.datid) END,
           'commits', d.xact_commit, 'rollbacks', d.xact_rollback,
           'rollback_ratio', pg_catalog.round(d.xact_rollback::numeric
                                 / nullif(d.xact_commit + d.xact_rollback, 0), 4),
           'rows_returned', d.tup_returned, 'rows_fetched', d.tup_fetched, 'rows_inserted', d.tup_inserted,
           'rows_updated', d.tup_updated, 'rows_deleted', d.tup_deleted,
           'conflicts', d.conflicts, 'deadlocks', d.deadlocks,
           'temp_files', d.temp_files, 'temp_bytes', d.temp_bytes,
           'tables', (SELECT count(*) FROM pg_catalog.pg_class AS c
                        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                       WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_'
                         AND n.nspname NOT IN ('information_schema', 'pgmend')),
           'indexes', (SELECT count(*) FROM pg_catalog.pg_class AS c
                         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                        WHERE c.relkind IN ('i', 'I') AND n.nspname !~ '^pg_'
                          AND n.nspname NOT IN ('information_schema', 'pgmend')),
           'stats_reset', d.stats_reset)
  FROM pg_catalog.pg_stat_database AS d
 WHERE d.datname = pg_catalog.current_database()
