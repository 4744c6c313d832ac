-- The tables that a table refers to, and whether we may lock them. $1: its oid.
SELECT DISTINCT n.nspname, c.relname,
       pg_catalog.has_table_privilege(c.oid, 'UPDATE') OR pg_catalog.has_table_privilege(c.oid, 'DELETE')
           OR pg_catalog.has_table_privilege(c.oid, 'TRUNCATE')
  FROM pg_catalog.pg_constraint AS k
  JOIN pg_catalog.pg_class AS c ON c.oid = k.confrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE k.conrelid = $1::oid AND k.contype = 'f' AND k.confrelid <> k.conrelid
 ORDER BY 1, 2
