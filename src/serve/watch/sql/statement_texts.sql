-- The texts of statements, by their numbers: asked for once for each.
SELECT DISTINCT ON (s.queryid) s.queryid,
	pg_catalog.left(s.query, 8192) AS query
FROM %s.pg_stat_statements(true) AS s
WHERE s.dbid = $1::pg_catalog.oid
	AND s.queryid = ANY ($2::pg_catalog.int8[])
