-- id: prepared_transactions
-- title: Prepared transaction left behind
-- family: sessions
-- severity: warning
-- versions: 13-
-- threshold: min_seconds 60 | it was prepared at least so long ago
-- threshold: critical_seconds 3600 | critical from so long on
--
-- Transactions that PREPARE TRANSACTION left for a second phase that has not come. They keep their locks and
-- hold back vacuum in the whole database, survive restarts, and end only by COMMIT PREPARED or ROLLBACK
-- PREPARED.
WITH
left_over AS (
	SELECT p.gid, p.owner, p.prepared,
	       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - p.prepared) AS seconds,
	       pg_catalog.age(p.transaction) AS xid_age
	FROM pg_catalog.pg_prepared_xacts AS p
	WHERE p.database = pg_catalog.current_database()
)
SELECT NULL AS schema,
       pg_catalog.format('prepared transaction %L', l.gid) AS object,
       CASE WHEN l.seconds >= :critical_seconds::pg_catalog.float8 THEN 'critical' ELSE 'warning' END
	AS severity,
       pg_catalog.format('Prepared %s ago by %I; it keeps its locks, and vacuum keeps what died in the'
	' last %s'
		' transactions.',
		pg_catalog.make_interval(secs =>
			pg_catalog.round(l.seconds::pg_catalog.numeric)::pg_catalog.float8),
		l.owner, l.xid_age) AS detail,
       pg_catalog.format(E'-- when its transaction manager does not know it any more:\nROLLBACK PREPARED'
	' %L;', l.gid)
		AS remedy,
       pg_catalog.format('prepared_transactions:%s', l.gid) AS ignore_key,
       l.seconds AS impact,
       pg_catalog.jsonb_build_object(
		'gid', l.gid,
		'owner', l.owner,
		'seconds', pg_catalog.round(l.seconds::pg_catalog.numeric, 1),
		'xid_age', l.xid_age
       ) AS evidence
FROM left_over AS l
WHERE l.seconds >= :min_seconds::pg_catalog.float8
