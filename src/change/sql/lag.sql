-- The streaming standby that is furthest behind: its name, time and bytes; whether we may see them at all.
SELECT r.application_name,
       EXTRACT(epoch FROM coalesce(r.replay_lag, '0'::interval)) * 1000,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn)
  FROM pg_catalog.pg_stat_replication AS r
 WHERE r.state = 'streaming'
   AND r.replay_lsn IS NOT NULL
 ORDER BY 3 DESC
 LIMIT 1
