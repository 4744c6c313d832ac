-- Locks of this database by mode.
SELECT pg_catalog.current_database() AS datname,
	pg_catalog.lower(m.mode) AS mode,
	pg_catalog.count(l.pid) AS pg_locks_count
FROM (VALUES ('AccessShareLock'), ('RowShareLock'), ('RowExclusiveLock'), ('ShareUpdateExclusiveLock'),
	('ShareLock'), ('ShareRowExclusiveLock'), ('ExclusiveLock'), ('AccessExclusiveLock'), ('SIReadLock'))
	AS m (mode)
LEFT JOIN (SELECT k.mode, k.pid
	FROM pg_catalog.pg_locks AS k
	WHERE k.database = (SELECT d.oid
			FROM pg_catalog.pg_database AS d
			WHERE d.datname = pg_catalog.current_database())
		AND k.pid <> pg_catalog.pg_backend_pid()) AS l USING (mode)
GROUP BY m.mode
