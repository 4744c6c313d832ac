-- Which columns the statistics of this server have: $1 are the relations that the collectors ask about.
SELECT c.relname || '.' || a.attname AS name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relname = ANY ($1::pg_catalog.name[])
	AND (c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace
		OR c.relnamespace IN (SELECT e.extnamespace
			FROM pg_catalog.pg_extension AS e
			WHERE e.extname = 'pg_stat_statements'))
