-- What each session, or prepared transaction (xid), holds: one row for each thing, with its modes, the
-- strongest first. Left out are the locks on one's own transaction, which every session has. At most 20
-- things of each, the strongest; things is how many there are. Relations of other databases have no name here.
-- A prepared transaction's locks name no process: they are found by its virtual transaction, which also holds
-- the lock on its transaction id.
WITH mode (name, level) AS (
	VALUES ('AccessShareLock', 1), ('RowShareLock', 2), ('RowExclusiveLock', 3),
	       ('ShareUpdateExclusiveLock', 4), ('ShareLock', 5), ('ShareRowExclusiveLock', 6),
	       ('ExclusiveLock', 7), ('AccessExclusiveLock', 8), ('SIReadLock', 0)
),
prepared AS MATERIALIZED (
	SELECT l.virtualtransaction, x.transaction::text AS xid
	  FROM pg_catalog.pg_prepared_xacts AS x
	  JOIN pg_catalog.pg_locks AS l ON l.transactionid = x.transaction
	 WHERE l.locktype = 'transactionid'
	   AND l.pid IS NULL
	   AND l.granted
),
held AS (
	SELECT coalesce(l.pid, 0) AS pid,
	       coalesce(p.xid, '') AS xid,
	       l.locktype,
	       CASE WHEN c.oid IS NOT NULL THEN pg_catalog.format('%I.%I', n.nspname, c.relname)
	            WHEN l.relation IS NOT NULL THEN pg_catalog.format('relation %s of database %s', l.relation,
	                coalesce(d.datname::text, l.database::text))
	            WHEN l.locktype = 'advisory' THEN pg_catalog.format('advisory lock %s, %s', l.classid, l.objid)
	            ELSE pg_catalog.format('%s %s', l.locktype, l.objid) END AS what,
	       pg_catalog.string_agg(DISTINCT l.mode, ',') AS modes,
	       pg_catalog.max(m.level) AS level
	  FROM pg_catalog.pg_locks AS l
	  JOIN mode AS m ON m.name = l.mode
	  LEFT JOIN prepared AS p ON l.pid IS NULL AND p.virtualtransaction = l.virtualtransaction
  LEFT JOIN pg_catalog.pg_database AS d ON d.oid = l.database
	  LEFT JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
	        AND (l.database = 0 OR d.datname = pg_catalog.current_database())
	  LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	 WHERE l.granted
	   AND l.locktype NOT IN ('virtualxid', 'transactionid', 'tuple', 'page')
	   AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
	 GROUP BY 1, 2, 3, 4
),
ranked AS (
	SELECT h.*,
	       pg_catalog.count(*) OVER (PARTITION BY h.pid, h.xid) AS things,
	       pg_catalog.row_number() OVER (PARTITION BY h.pid, h.xid
	           ORDER BY h.what LIKE 'pg\_catalog.%', h.level DESC, h.what) AS place
	  FROM held AS h
)
SELECT r.pid, r.xid, r.what, r.modes, r.things
  FROM ranked AS r
 WHERE r.place <= 20
 ORDER BY r.pid, r.xid, r.place
