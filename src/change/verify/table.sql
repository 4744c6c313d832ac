-- A table whose writes are to be measured, and what stands against that.
--   $1 text  schema    $2 text  name
SELECT c.oid,
       c.relkind,
       pg_catalog.row_security_active(c.oid) AS row_security,
       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(e.evtname), ', ')
	FROM pg_catalog.pg_event_trigger AS e
	WHERE e.evtenabled <> 'D') AS event_triggers,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP') AS may_use_temporary,
       size.rows,
       size.pages::pg_catalog.float8 * pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
	WITH RECURSIVE part (oid) AS (
		SELECT c.oid
		UNION ALL
		SELECT h.inhrelid
		FROM part
		JOIN pg_catalog.pg_inherits AS h ON h.inhparent = part.oid
		WHERE c.relkind = 'p'
	)
	SELECT pg_catalog.sum(leaf.reltuples) FILTER (WHERE leaf.reltuples > 0) AS rows,
	       pg_catalog.sum(leaf.relpages::pg_catalog.int8 + COALESCE(toast.relpages, 0)) AS pages
	FROM part
	JOIN pg_catalog.pg_class AS leaf ON leaf.oid = part.oid AND leaf.relkind <> 'p'
	LEFT JOIN pg_catalog.pg_class AS toast ON toast.oid = leaf.reltoastrelid
) AS size
WHERE n.nspname = $1 AND c.relname = $2
