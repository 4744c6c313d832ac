-- Is the Ledger there, of which version, may we use it, and can we trust who owns it? Its SQL is run with
-- our rights: an owner that could not have those rights anyway must not be believed.
SELECT EXISTS (SELECT
                 FROM pg_catalog.pg_class AS c
                WHERE c.relnamespace = n.oid
                  AND c.relname = 'ledger') AS there,
       n.oid IS NOT NULL AS schema_there,
       pg_catalog.pg_get_userbyid(n.nspowner) AS owner,
       pg_catalog.bool_and(
           coalesce(
               o.rolsuper
               OR o.oid = me.oid
               OR o.oid = d.datdba
               OR (NOT me.rolsuper AND pg_catalog.pg_has_role(me.oid, o.oid, 'USAGE')),
               true)) AS trusted,
       pg_catalog.has_database_privilege(d.oid, 'CREATE') AS may_create,
       coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE'), true) AS may_use
  FROM pg_catalog.pg_database AS d
  JOIN pg_catalog.pg_roles AS me ON me.rolname = current_user
  LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'pgmend'
  LEFT JOIN LATERAL (
           SELECT n.nspowner AS owner
            UNION
           SELECT c.relowner FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid
       ) AS w ON true
  LEFT JOIN pg_catalog.pg_roles AS o ON o.oid = w.owner
 WHERE d.datname = pg_catalog.current_database()
 GROUP BY n.oid, n.nspowner, d.oid
