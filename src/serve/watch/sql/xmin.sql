-- Who keeps dead rows from being removed, and since how many transactions.
SELECT 'session' AS holder,
	coalesce(max(pg_catalog.age(a.backend_xmin)), 0) AS pgmend_xmin_horizon_age_transactions
FROM pg_catalog.pg_stat_activity AS a
WHERE a.pid <> pg_catalog.pg_backend_pid()
	AND a.backend_type <> 'walsender'
UNION ALL
SELECT 'replica', coalesce(max(pg_catalog.age(r.backend_xmin)), 0)
FROM pg_catalog.pg_stat_replication AS r
UNION ALL
SELECT 'slot', coalesce(max(greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin))), 0)
FROM pg_catalog.pg_replication_slots AS s
UNION ALL
SELECT 'prepared transaction', coalesce(max(pg_catalog.age(p.transaction)), 0)
FROM pg_catalog.pg_prepared_xacts AS p
