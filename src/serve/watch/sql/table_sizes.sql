-- The sizes of a few tables on disk. The functions lock what they measure, so tables under an exclusive lock
-- are left out; where one comes in between, lock_timeout ends it.
SELECT w.oid,
	pg_catalog.pg_table_size(w.oid) AS table_bytes,
	pg_catalog.pg_indexes_size(w.oid) AS index_bytes
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS w (oid)
WHERE NOT EXISTS (
	SELECT
	FROM pg_catalog.pg_locks AS l
	WHERE l.locktype = 'relation'
		AND l.mode = 'AccessExclusiveLock'
		AND (l.relation = w.oid
			OR l.relation IN (SELECT x.indexrelid FROM pg_catalog.pg_index AS x WHERE x.indrelid = w.oid)))
