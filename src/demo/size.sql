-- $1: a schema. Its tables, their rows as the last VACUUM counted them, and bytes with indexes and TOAST.
SELECT
	pg_catalog.count(*),
	pg_catalog.sum(GREATEST(c.reltuples, 0)),
	pg_catalog.sum(pg_catalog.pg_total_relation_size(c.oid))
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1
	AND c.relkind IN ('r', 'p')
