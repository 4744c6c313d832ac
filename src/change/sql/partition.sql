-- The table with oid $1, whether it is a partition, and of what. (inhdetachpending came with PostgreSQL 14.)
SELECT n.nspname, c.relname, c.relispartition,
       coalesce((pg_catalog.to_jsonb(i) OPERATOR(pg_catalog.->>) 'inhdetachpending')::boolean, false) AS pending,
       p.oid, pn.nspname, p.relname,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AND coalesce(pg_catalog.pg_has_role(p.relowner, 'USAGE'), true),
       pg_catalog.pg_get_userbyid(coalesce(p.relowner, c.relowner)),
       c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint AS bytes,
       c.relkind
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = c.oid AND c.relispartition
  LEFT JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
  LEFT JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
 WHERE c.oid = $1::oid
   AND c.relkind IN ('r', 'p', 'f')
