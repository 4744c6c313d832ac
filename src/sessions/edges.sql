-- Who waits for whom, as the server says (pg_blocking_pids), asked only of sessions that wait for a lock.
-- queue: the blocker does not hold the lock but asked for it before, so that it comes first. A blocker
-- without a process is a prepared transaction: its xid stands beside it.
-- A prepared transaction's locks name no process: they are found by its virtual transaction, which also holds
-- the lock on its transaction id.
WITH mode (name, level, conflicts) AS (
	VALUES ('AccessShareLock', 1, '{8}'::integer[]), ('RowShareLock', 2, '{7,8}'),
	       ('RowExclusiveLock', 3, '{5,6,7,8}'), ('ShareUpdateExclusiveLock', 4, '{4,5,6,7,8}'),
	       ('ShareLock', 5, '{3,4,6,7,8}'), ('ShareRowExclusiveLock', 6, '{3,4,5,6,7,8}'),
	       ('ExclusiveLock', 7, '{2,3,4,5,6,7,8}'), ('AccessExclusiveLock', 8, '{1,2,3,4,5,6,7,8}')
),
prepared AS MATERIALIZED (
	SELECT l.virtualtransaction, x.transaction::text AS xid
	  FROM pg_catalog.pg_prepared_xacts AS x
	  JOIN pg_catalog.pg_locks AS l ON l.transactionid = x.transaction
	 WHERE l.locktype = 'transactionid'
	   AND l.pid IS NULL
	   AND l.granted
),
waiter AS MATERIALIZED (
	SELECT a.pid
	  FROM pg_catalog.pg_stat_activity AS a
	 WHERE a.wait_event_type = 'Lock'
	   AND a.pid <> pg_catalog.pg_backend_pid()
	 ORDER BY a.query_start
	 LIMIT 500
),
blocked AS MATERIALIZED (
	SELECT DISTINCT w.pid, b.pid AS blocker
	  FROM waiter AS w
	 CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b (pid)
),
lock AS MATERIALIZED (
	SELECT l.pid, l.granted, l.virtualtransaction, m.level, m.conflicts,
	       ROW(l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid::text,
	           l.classid, l.objid, l.objsubid)::text AS tag
	  FROM pg_catalog.pg_locks AS l
	  JOIN mode AS m ON m.name = l.mode
),
wanted AS MATERIALIZED (
	SELECT l.* FROM lock AS l WHERE NOT l.granted
)
SELECT b.pid, b.blocker, '',
       NOT EXISTS (SELECT
                     FROM wanted AS w
                     JOIN lock AS h ON h.tag = w.tag AND h.granted AND h.level = ANY (w.conflicts)
                    WHERE w.pid = b.pid
                      AND h.pid = b.blocker)
       AND EXISTS (SELECT
                     FROM wanted AS w
                     JOIN wanted AS q ON q.tag = w.tag AND q.level = ANY (w.conflicts)
                    WHERE w.pid = b.pid
                      AND q.pid = b.blocker)
  FROM blocked AS b
 WHERE b.blocker <> 0
 UNION
SELECT w.pid, 0, p.xid, false
  FROM blocked AS b
  JOIN wanted AS w ON w.pid = b.pid
  JOIN lock AS h ON h.tag = w.tag AND h.granted AND h.pid IS NULL AND h.level = ANY (w.conflicts)
  JOIN prepared AS p ON p.virtualtransaction = h.virtualtransaction
 WHERE b.blocker = 0
 ORDER BY 1, 4, 2
