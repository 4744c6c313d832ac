-- Tables that are partitioned by range: those with an oid in $1, or all where that is NULL.
SELECT c.oid, n.nspname, c.relname, p.partnatts, a.attname,
       CASE WHEN t.typnamespace = 11 THEN t.typname::text ELSE '' END AS type,
       pg_catalog.format_type(a.atttypid, a.atttypmod),
       nullif(p.partdefid, 0) AS default_oid, dn.nspname, d.relname, d.relkind,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS may_own,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       EXISTS (SELECT
                 FROM pg_catalog.pg_constraint AS f
                WHERE f.confrelid = c.oid
                  AND f.contype = 'f') AS referenced,
       p.partstrat = 'r' AS by_range
  FROM pg_catalog.pg_partitioned_table AS p
  JOIN pg_catalog.pg_class AS c ON c.oid = p.partrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0] AND a.attnum > 0
  LEFT JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_class AS d ON d.oid = p.partdefid
  LEFT JOIN pg_catalog.pg_namespace AS dn ON dn.oid = d.relnamespace
 WHERE CASE WHEN $1::oid[] IS NULL THEN p.partstrat = 'r' AND c.relpersistence <> 't'
                 AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgmend')
            ELSE c.oid = ANY ($1::oid[]) END
 ORDER BY n.nspname, c.relname
