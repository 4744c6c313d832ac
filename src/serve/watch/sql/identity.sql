-- What stays the same in a session, and where pg_stat_statements is (NULL: it is not installed).
SELECT d.oid AS database_oid,
	(SELECT pg_catalog.quote_ident(n.nspname)
		FROM pg_catalog.pg_extension AS e
		JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
		WHERE e.extname = 'pg_stat_statements') AS statements_schema
FROM pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database()
