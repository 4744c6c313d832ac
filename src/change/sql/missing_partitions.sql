-- Partitions of an index's table that have no index attached to it. $1: the partitioned index.
SELECT c.oid, n.nspname, c.relname, c.relkind
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_inherits AS h ON h.inhparent = i.indrelid
  JOIN pg_catalog.pg_class AS c ON c.oid = h.inhrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE i.indexrelid = $1::oid
   AND c.relispartition
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_index AS ci
                     JOIN pg_catalog.pg_inherits AS ih ON ih.inhrelid = ci.indexrelid
                    WHERE ci.indrelid = c.oid
                      AND ih.inhparent = i.indexrelid)
 ORDER BY c.oid
