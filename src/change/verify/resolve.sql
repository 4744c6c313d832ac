-- Where a relation is that the SQL of a Change names without its schema; of an index, also its table.
--   $1 text[]  the schemas of the search path, in order    $2 text  the schema, or ''    $3 text  the name
SELECT n.nspname, COALESCE(t.relname, c.relname)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
WHERE c.relname = $3
  AND (n.nspname = $2 OR $2 = '' AND n.nspname = ANY ($1::pg_catalog.text[]))
ORDER BY pg_catalog.array_position($1::pg_catalog.text[], n.nspname::pg_catalog.text)
LIMIT 1
