-- What the database takes on disk. It looks at every file of the database.
SELECT d.datname,
	pg_catalog.pg_database_size(d.oid) AS pg_database_size_bytes,
	d.datconnlimit AS pg_database_connection_limit
FROM pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database()
