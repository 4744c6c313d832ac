-- The standby that is furthest behind: its name, time and bytes. Where we may not see how far they are (there are rows
-- without a state then), that, if there is none that we do see.
SELECT r.application_name,
       EXTRACT(epoch FROM coalesce(r.replay_lag, '0'::interval)) * 1000,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn),
       r.state IS NULL AS hidden
  FROM pg_catalog.pg_stat_replication AS r
 WHERE r.state IS NULL
    OR (r.state IN ('streaming', 'catchup') AND r.replay_lsn IS NOT NULL)
 ORDER BY hidden, 3 DESC
 LIMIT 1
