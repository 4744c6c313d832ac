-- How old the oldest transaction of each database is: the 20 oldest, and this one.
SELECT d.datname,
	pg_catalog.age(d.datfrozenxid) AS pg_database_wraparound_age_datfrozenxid_seconds,
	pg_catalog.mxid_age(d.datminmxid) AS pg_database_wraparound_age_datminmxid_seconds
FROM pg_catalog.pg_database AS d
WHERE d.datallowconn
ORDER BY d.datname = pg_catalog.current_database() DESC, pg_catalog.age(d.datfrozenxid) DESC
LIMIT 20
