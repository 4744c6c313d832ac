-- The partition without a lower bound of a table that is partitioned by one column. $1: the table's oid.
WITH parts AS (
        SELECT c.*, n.nspname, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
          FROM pg_catalog.pg_inherits AS i
          JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE i.inhparent = $1::oid)
SELECT p.oid, p.nspname, p.relname, p.relkind, p.relpersistence,
       pg_catalog.btrim((pg_catalog.regexp_match(p.bound, ' TO \((.*)\)$'))[1], '''') AS until,
       greatest(p.reltuples, 0) AS rows,
       p.relpages::bigint * 8192 AS bytes,
       p.relreplident,
       (SELECT s.spcname FROM pg_catalog.pg_tablespace AS s WHERE s.oid = p.reltablespace) AS tablespace,
       (SELECT pg_catalog.string_agg(pg_catalog.format('%s=%L', o.option_name, o.option_value), ', ')
          FROM pg_catalog.pg_options_to_table(p.reloptions) AS o) AS options,
       pg_catalog.pg_has_role(p.relowner, 'USAGE') AS may_own,
       pg_catalog.pg_get_userbyid(p.relowner) AS owner
  FROM parts AS p
 WHERE p.bound LIKE 'FOR VALUES FROM (MINVALUE) TO (%'
