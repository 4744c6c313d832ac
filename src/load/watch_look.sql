-- One look at a server under load, as rows (kind, name, detail, value). "wait": how many active backends of
-- this database wait for what ("CPU": for nothing). The rest are numbers of now, or counters that only grow.
-- The session that looks is left out. Nothing is locked.
WITH activity AS MATERIALIZED (
	SELECT a.state, a.wait_event_type, a.wait_event, a.backend_type
	  FROM pg_catalog.pg_stat_activity AS a
	 WHERE a.datname = pg_catalog.current_database()
	   AND a.pid <> pg_catalog.pg_backend_pid()
	   AND (a.backend_type IN ('client backend', 'parallel worker')
	    OR a.backend_type IS NULL) -- of another user, who hides all but that it is there
)
SELECT 'wait' AS kind,
       coalesce(w.wait_event_type, 'CPU') AS name,
       coalesce(w.wait_event, '') AS detail,
       pg_catalog.count(*)::float8 AS value
  FROM activity AS w
 WHERE w.state IN ('active', 'fastpath function call')
 GROUP BY 2, 3
UNION ALL
SELECT 'backends', v.name, '', v.value
  FROM (SELECT pg_catalog.count(*) AS backends,
               pg_catalog.count(*) FILTER (WHERE a.state IN ('active', 'fastpath function call')) AS active,
               pg_catalog.count(*) FILTER (WHERE a.state = 'active' AND a.wait_event_type = 'Lock') AS waiting,
               pg_catalog.count(*) FILTER (WHERE a.state LIKE 'idle in transaction%') AS idle_in_transaction,
               pg_catalog.count(*) FILTER (WHERE a.backend_type IS NULL) AS hidden
          FROM activity AS a) AS c,
       LATERAL (VALUES ('backends', c.backends::float8), ('active', c.active::float8),
                       ('waiting_for_locks', c.waiting::float8),
                       ('idle_in_transaction', c.idle_in_transaction::float8),
                       ('hidden', c.hidden::float8)) AS v (name, value)
UNION ALL
SELECT 'counter', v.name, '', v.value
  FROM pg_catalog.pg_stat_database AS d,
       LATERAL (VALUES ('blocks_hit', d.blks_hit::float8), ('blocks_read', d.blks_read::float8),
                       ('commits', d.xact_commit::float8), ('rollbacks', d.xact_rollback::float8),
                       ('temp_bytes', d.temp_bytes::float8), ('deadlocks', d.deadlocks::float8)) AS v (name, value)
 WHERE d.datname = pg_catalog.current_database()
UNION ALL
SELECT 'counter', 'wal_bytes', '',
       pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery()
                                       THEN pg_catalog.pg_last_wal_replay_lsn()
                                       ELSE pg_catalog.pg_current_wal_lsn() END, '0/0')::float8
UNION ALL
SELECT 'process', '', '', pg_catalog.pg_backend_pid()::float8
