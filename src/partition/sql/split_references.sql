-- Foreign keys that go out from a partitioned table, and what they are called in one of its partitions. $1: the
-- table's oid, $2: the partition's.
SELECT pg_catalog.quote_ident(k.conname),
       pg_catalog.pg_get_constraintdef(k.oid),
       pg_catalog.quote_ident(c.conname),
       pg_catalog.format('%I.%I', n.nspname, r.relname),
       pg_catalog.pg_has_role(r.relowner, 'USAGE')
  FROM pg_catalog.pg_constraint AS k
  JOIN pg_catalog.pg_class AS r ON r.oid = k.confrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
  LEFT JOIN pg_catalog.pg_constraint AS c ON c.conparentid = k.oid AND c.conrelid = $2::oid
 WHERE k.conrelid = $1::oid
   AND k.contype = 'f'
   AND k.conparentid = 0
 ORDER BY k.conname
