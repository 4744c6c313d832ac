-- What there is to know of a table that shall become partitioned. $1: its oid.
SELECT n.nspname, c.relname, c.relkind, c.relpersistence, pg_catalog.pg_get_userbyid(c.relowner),
       pg_catalog.pg_has_role(c.relowner, 'USAGE'),
       pg_catalog.has_schema_privilege(n.oid, 'CREATE'),
       n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast', 'pgmend') OR n.nspname LIKE 'pg\_temp\_%' AS system,
       c.relispartition,
       EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid OR i.inhparent = c.oid) AS inherits,
       c.reloftype <> 0 AS typed,
       coalesce(m.amname, 'heap') AS method,
       greatest(c.reltuples, 0) AS rows,
       (c.relpages::bigint + coalesce(t.relpages, 0)) * 8192 AS bytes,
       (SELECT s.spcname FROM pg_catalog.pg_tablespace AS s WHERE s.oid = c.reltablespace) AS tablespace,
       -- As WITH (...) wants it.
       nullif(pg_catalog.concat_ws(', ',
           (SELECT pg_catalog.string_agg(pg_catalog.format('%s=%L', o.option_name, o.option_value), ', ')
              FROM pg_catalog.pg_options_to_table(c.reloptions) AS o),
           (SELECT pg_catalog.string_agg(pg_catalog.format('toast.%s=%L', o.option_name, o.option_value), ', ')
              FROM pg_catalog.pg_options_to_table(t.reloptions) AS o)), '') AS options,
       c.relreplident, c.relrowsecurity, c.relforcerowsecurity,
       (SELECT pg_catalog.quote_ident(e.extname)
          FROM pg_catalog.pg_depend AS d
          JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
         WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
           AND d.refclassid = 'pg_catalog.pg_extension'::regclass) AS extension,
       pg_catalog.obj_description(c.oid, 'pg_class') AS comment,
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS superuser
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class AS t ON t.oid = c.reltoastrelid
  LEFT JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
 WHERE c.oid = $1::oid
