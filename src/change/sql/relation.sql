-- The relation that a step is about. $1: its schema, '' for the search path; $2: its name.
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence,
       pg_catalog.pg_get_userbyid(c.relowner),
       pg_catalog.pg_has_role(c.relowner, 'USAGE'),
       pg_catalog.has_schema_privilege(n.oid, 'CREATE'),
       n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast', 'pgmend') OR n.nspname LIKE 'pg\_temp\_%',
       c.relispartition,
       (SELECT count(*)
          FROM pg_catalog.pg_partition_tree(c.oid) AS t
          JOIN pg_catalog.pg_class AS f ON f.oid = t.relid
         WHERE f.relkind = 'f'),
       NOT EXISTS (SELECT
                     FROM pg_catalog.pg_stats AS s
                    WHERE s.schemaname = n.nspname
                      AND s.tablename = c.relname)
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relname = $2
   AND CASE WHEN $1 = '' THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $1 END
