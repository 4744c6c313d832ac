-- A partitioned table whose first partition shall be split. $1: its oid.
SELECT n.nspname, c.relname, c.relkind,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS may_own,
       pg_catalog.has_schema_privilege(n.oid, 'CREATE') AS may_create,
       p.partstrat, p.partnatts,
       a.attname AS key,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS key_type,
       p.partdefid <> 0 AS has_default,
       c.relispartition,
       EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.confrelid = c.oid AND k.contype = 'f') AS incoming,
       (SELECT count(*) FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f')) AS checks,
       (SELECT count(*) FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid) AS indexes,
       (SELECT count(*) FROM pg_catalog.pg_index AS i
         WHERE i.indrelid = c.oid AND NOT i.indisunique AND NOT i.indisexclusion) AS plain_indexes
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = c.oid
  LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0] AND p.partattrs[0] > 0
 WHERE c.oid = $1::oid
