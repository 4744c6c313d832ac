-- The DEFAULT partition of each partitioned table that has one.
SELECT p.partrelid, p.partdefid
FROM pg_catalog.pg_partitioned_table p
WHERE p.partdefid <> 0
	AND p.partrelid = ANY ($1::pg_catalog.oid[])
