-- The indexes that a table's writers maintain, each with what follows the table's name in its definition.
--   $1 oid
SELECT n.nspname, c.relname, pg_catalog.substr(d.definition, pg_catalog.length(d.prefix) + 1) AS rest
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
CROSS JOIN LATERAL (
	SELECT pg_catalog.pg_get_indexdef(i.indexrelid) AS definition,
	       pg_catalog.format('CREATE %sINDEX %I ON %s%I.%I',
		       CASE WHEN i.indisunique THEN 'UNIQUE ' END, c.relname,
		       CASE WHEN c.relkind = 'I' THEN 'ONLY ' END, n.nspname, t.relname) AS prefix
) AS d
WHERE i.indrelid = $1::pg_catalog.oid AND i.indislive AND (i.indisready OR c.relkind = 'I')
  AND pg_catalog.left(d.definition, pg_catalog.length(d.prefix)) = d.prefix
ORDER BY c.relname
