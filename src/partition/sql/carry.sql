-- What a partitioned table takes over from the table that it replaces, as SQL. $1: the old table's oid; $2: the new
-- one, quoted; $3: names of constraints that stay behind. Answer: a place and a statement, or a part of one:
--   parent    on the new table, while nobody uses it yet
--   column    for ALTER TABLE, on the new table and on each of its partitions
--   sequence  when the sequence of an identity column has its name again, in either direction
--   after     when the new table has the old one's name: what names it in an expression must find the new one
WITH t AS (
        SELECT c.*, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, n.oid AS namespace
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.oid = $1::oid),
     rights AS (
        SELECT x.grantee, x.is_grantable, NULL::name AS attname,
               pg_catalog.string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type) AS list
          FROM t CROSS JOIN LATERAL pg_catalog.aclexplode(t.relacl) AS x
         GROUP BY x.grantee, x.is_grantable
         UNION ALL
        SELECT x.grantee, x.is_grantable, a.attname,
               pg_catalog.string_agg(pg_catalog.format('%s (%I)', x.privilege_type, a.attname), ', '
                                     ORDER BY x.privilege_type)
          FROM pg_catalog.pg_attribute AS a
         CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS x
         WHERE a.attrelid = $1::oid AND NOT a.attisdropped
         GROUP BY x.grantee, x.is_grantable, a.attname),
     defaults AS (
        SELECT DISTINCT x.grantee
          FROM t
          JOIN pg_catalog.pg_default_acl AS d
            ON d.defaclobjtype = 'r' AND d.defaclnamespace IN (0, t.namespace)
           AND d.defaclrole = (SELECT u.oid FROM pg_catalog.pg_roles AS u WHERE u.rolname = current_user)
         CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) AS x
         WHERE x.grantee <> t.relowner),
     lines AS (
        SELECT 1 AS n, 'parent' AS place, k.conname::text AS by,
               pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2::text, k.conname,
                                 pg_catalog.pg_get_constraintdef(k.oid)) AS line
          FROM pg_catalog.pg_constraint AS k
         WHERE k.conrelid = $1::oid AND k.contype = 'c' AND k.conname <> ALL ($3::text[])
         UNION ALL
        SELECT 2, 'column', a.attname,
               pg_catalog.concat_ws(', ',
                   CASE WHEN (pg_catalog.to_jsonb(a) ->> 'attstattarget')::integer >= 0
                        THEN pg_catalog.format('ALTER COLUMN %I SET STATISTICS %s', a.attname,
                                               pg_catalog.to_jsonb(a) ->> 'attstattarget') END,
                   -- Those that people may set: some servers keep notes of their own among them.
                   (SELECT pg_catalog.format('ALTER COLUMN %I SET (%s)', a.attname,
                               pg_catalog.string_agg(pg_catalog.format('%s=%L', o.option_name, o.option_value), ', '))
                      FROM pg_catalog.pg_options_to_table(a.attoptions) AS o
                     WHERE o.option_name IN ('n_distinct', 'n_distinct_inherited')
                    HAVING count(*) > 0))
          FROM pg_catalog.pg_attribute AS a
         WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
         UNION ALL
        SELECT 3, 'parent', k.conname,
               pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2::text, k.conname,
                                 pg_catalog.pg_get_constraintdef(k.oid))
          FROM pg_catalog.pg_constraint AS k
         WHERE k.conrelid = $1::oid AND k.contype = 'f'
         UNION ALL
        SELECT 4, 'parent', 'owner',
               pg_catalog.format('ALTER TABLE %s OWNER TO %I', $2::text, pg_catalog.pg_get_userbyid(t.relowner))
          FROM t
         WHERE pg_catalog.pg_get_userbyid(t.relowner) <> current_user
         UNION ALL
        SELECT 5, 'parent', 'defaults',
               pg_catalog.format('REVOKE ALL ON TABLE %s FROM %s', $2::text,
                                 CASE WHEN d.grantee = 0 THEN 'PUBLIC'
                                      ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(d.grantee)) END)
          FROM defaults AS d
         UNION ALL
        SELECT 6, 'parent', 'owner''s',
               pg_catalog.format('REVOKE ALL ON TABLE %s FROM %I', $2::text, pg_catalog.pg_get_userbyid(t.relowner))
          FROM t
         WHERE t.relacl IS NOT NULL
         UNION ALL
        SELECT 7, 'parent', r.grantee::text || coalesce(r.attname, ''),
               pg_catalog.format('GRANT %s ON TABLE %s TO %s%s', r.list, $2::text,
                                 CASE WHEN r.grantee = 0 THEN 'PUBLIC'
                                      ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r.grantee)) END,
                                 CASE WHEN r.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
          FROM rights AS r
         UNION ALL
        SELECT 8, 'parent', 'comment',
               pg_catalog.format('COMMENT ON TABLE %s IS %L', $2::text, pg_catalog.obj_description(t.oid, 'pg_class'))
          FROM t
         WHERE pg_catalog.obj_description(t.oid, 'pg_class') IS NOT NULL
         UNION ALL
        SELECT 8, 'parent', k.conname,
               pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, $2::text,
                                 pg_catalog.obj_description(k.oid, 'pg_constraint'))
          FROM pg_catalog.pg_constraint AS k
         WHERE k.conrelid = $1::oid AND k.contype IN ('c', 'f') AND k.conname <> ALL ($3::text[])
           AND pg_catalog.obj_description(k.oid, 'pg_constraint') IS NOT NULL
         UNION ALL
        SELECT 9, 'parent', 'security', pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', $2::text)
          FROM t
         WHERE t.relrowsecurity
         UNION ALL
        SELECT 9, 'parent', 'security f', pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', $2::text)
          FROM t
         WHERE t.relforcerowsecurity
         UNION ALL
        SELECT 10, 'after', p.polname,
               pg_catalog.format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, t.name,
                   CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                   CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                 WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                   CASE WHEN 0 = ANY (p.polroles) THEN 'PUBLIC'
                        ELSE (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(u.rolname), ', ' ORDER BY u.rolname)
                                FROM pg_catalog.pg_roles AS u
                               WHERE u.oid = ANY (p.polroles)) END,
                   ' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
                   ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')')
          FROM pg_catalog.pg_policy AS p
         CROSS JOIN t
         WHERE p.polrelid = $1::oid
         UNION ALL
        SELECT 11, 'after', p.polname,
               pg_catalog.format('COMMENT ON POLICY %I ON %s IS %L', p.polname, t.name,
                                 pg_catalog.obj_description(p.oid, 'pg_policy'))
          FROM pg_catalog.pg_policy AS p
         CROSS JOIN t
         WHERE p.polrelid = $1::oid AND pg_catalog.obj_description(p.oid, 'pg_policy') IS NOT NULL
         UNION ALL
        SELECT 12, 'sequence', s.oid::text || x.grantee,
               pg_catalog.format('GRANT %s ON SEQUENCE %I.%I TO %s%s',
                   pg_catalog.string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type), n.nspname, s.relname,
                   CASE WHEN x.grantee = 0 THEN 'PUBLIC'
                        ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END,
                   CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
          FROM pg_catalog.pg_depend AS d
          JOIN pg_catalog.pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
          JOIN pg_catalog.pg_namespace AS n ON n.oid = s.relnamespace
         CROSS JOIN LATERAL pg_catalog.aclexplode(s.relacl) AS x
         WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
           AND d.refobjid = $1::oid AND d.deptype = 'i' AND x.grantee <> s.relowner
         GROUP BY s.oid, n.nspname, s.relname, x.grantee, x.is_grantable)
SELECT place, line
  FROM lines
 WHERE line <> ''
 ORDER BY n, by
