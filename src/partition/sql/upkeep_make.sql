-- Statements that make $3 (quoted; its bare name is $5), a table like its future parent $1 (quoted as $4) and its
-- sibling $2 (0: none; then the parent is taken for it). What ATTACH makes by itself (foreign keys and triggers of
-- the parent) is left to it, its indexes and keys come with LIKE.
WITH model AS (
    SELECT c.*, n.nspname, p.relowner AS parent_owner, am.amname, t.spcname
      FROM pg_catalog.pg_class AS p
      JOIN pg_catalog.pg_class AS c ON c.oid = CASE WHEN $2::oid = 0 THEN p.oid ELSE $2::oid END
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_am AS am ON am.oid = c.relam
      LEFT JOIN pg_catalog.pg_tablespace AS t ON t.oid = c.reltablespace
     WHERE p.oid = $1::oid
), col AS (
    SELECT a.attnum, a.attname, a.attoptions, a.attacl,
           (pg_catalog.to_jsonb(a) OPERATOR(pg_catalog.->>) 'attstattarget')::integer AS target
      FROM model AS m
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = m.oid AND a.attnum > 0 AND NOT a.attisdropped
), own_index AS (
    -- those that the parent has not
    SELECT x.relname, i.indisunique, k.oid AS constraint_oid, m.nspname, m.relname AS sibling,
           pg_catalog.pg_get_indexdef(i.indexrelid) AS definition,
           CASE WHEN pg_catalog.left(x.relname, pg_catalog.length(m.relname)) = m.relname
                THEN $5::text || pg_catalog.substr(x.relname, pg_catalog.length(m.relname) + 1)
                ELSE $5::text || '_idx' || pg_catalog.row_number() OVER (ORDER BY x.relname) END AS new_name
      FROM model AS m
      JOIN pg_catalog.pg_index AS i ON i.indrelid = m.oid
      JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid AND NOT x.relispartition
      LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
     WHERE m.relkind = 'r'
       AND i.indisvalid
), statement(ord, name, sql) AS (
    SELECT 0, '',
           pg_catalog.format('CREATE %sTABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY)%s%s%s',
               CASE WHEN m.relpersistence = 'u' THEN 'UNLOGGED ' ELSE '' END, $3::text, $4::text,
               CASE WHEN m.relkind = 'r' AND m.amname <> pg_catalog.current_setting('default_table_access_method')
                    THEN pg_catalog.format(' USING %I', m.amname) ELSE '' END,
               (SELECT ' WITH (' || pg_catalog.string_agg(pg_catalog.format('%s = %L', o.option_name,
                           o.option_value), ', ') || ')'
                  FROM pg_catalog.pg_options_to_table(m.reloptions) AS o
                 WHERE m.relkind = 'r'),
               CASE WHEN m.spcname IS NOT NULL THEN pg_catalog.format(' TABLESPACE %I', m.spcname) ELSE '' END)
      FROM model AS m
     UNION ALL
    SELECT 1, c.attname, pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', $3::text, c.attname, c.target)
      FROM col AS c
     WHERE c.target >= 0
     UNION ALL
    SELECT 2, c.attname, pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', $3::text, c.attname,
               (SELECT pg_catalog.string_agg(pg_catalog.format('%s = %L', o.option_name, o.option_value), ', ')
                  FROM pg_catalog.pg_options_to_table(c.attoptions) AS o))
      FROM col AS c
     WHERE c.attoptions IS NOT NULL
     UNION ALL
    SELECT 3, i.relname,
           CASE WHEN i.constraint_oid IS NOT NULL
                THEN pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', $3::text, i.new_name,
                         pg_catalog.pg_get_constraintdef(i.constraint_oid))
                ELSE pg_catalog.format('CREATE %sINDEX %I ON %s %s', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END,
                         i.new_name, $3::text,
                         pg_catalog.substr(i.definition, pg_catalog.length(pg_catalog.format(
                             'CREATE %sINDEX %I ON %I.%I ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END,
                             i.relname, i.nspname, i.sibling)) + 1))
                END
      FROM own_index AS i
     UNION ALL
    SELECT 4, k.conname, pg_catalog.format('ALTER TABLE %s ADD %s', $3::text, pg_catalog.pg_get_constraintdef(k.oid))
      FROM model AS m
      JOIN pg_catalog.pg_constraint AS k ON k.conrelid = m.oid AND k.contype = 'f' AND k.conparentid = 0
     WHERE m.relkind = 'r'
     UNION ALL
    SELECT 5, '', pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', $3::text)
      FROM model AS m
     WHERE m.relrowsecurity
     UNION ALL
    SELECT 6, '', pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', $3::text)
      FROM model AS m
     WHERE m.relforcerowsecurity
     UNION ALL
    SELECT 7, '', pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY %s', $3::text,
               CASE m.relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END)
      FROM model AS m
     WHERE m.relreplident IN ('f', 'n')
     UNION ALL
    SELECT 8, coalesce(g.grantee::text, '') || g.is_grantable,
           pg_catalog.format('GRANT %s ON %s TO %s%s', pg_catalog.string_agg(g.privilege_type, ', '
                   ORDER BY g.privilege_type), $3::text,
               CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.format('%I', pg_catalog.pg_get_userbyid(g.grantee)) END,
               CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM model AS m
     CROSS JOIN LATERAL pg_catalog.aclexplode(m.relacl) AS g
     WHERE g.grantee <> m.relowner
     GROUP BY g.grantee, g.is_grantable
     UNION ALL
    SELECT 9, c.attname || ' ' || g.grantee || g.privilege_type,
           pg_catalog.format('GRANT %s (%I) ON %s TO %s%s', g.privilege_type, c.attname, $3::text,
               CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.format('%I', pg_catalog.pg_get_userbyid(g.grantee)) END,
               CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM model AS m
     CROSS JOIN col AS c
     CROSS JOIN LATERAL pg_catalog.aclexplode(c.attacl) AS g
     WHERE g.grantee <> m.relowner
     UNION ALL
    -- a membership with a column list or a row filter is not copied
    SELECT 10, p.pubname, pg_catalog.format('ALTER PUBLICATION %I ADD TABLE %s', p.pubname, $3::text)
      FROM model AS m
      JOIN pg_catalog.pg_publication_rel AS r ON r.prrelid = m.oid
      JOIN pg_catalog.pg_publication AS p ON p.oid = r.prpubid
     WHERE m.relkind = 'r'
       AND (pg_catalog.to_jsonb(r) OPERATOR(pg_catalog.->>) 'prqual') IS NULL
       AND (pg_catalog.to_jsonb(r) OPERATOR(pg_catalog.->>) 'prattrs') IS NULL
     UNION ALL
    SELECT 11, '', pg_catalog.format('ALTER TABLE %s OWNER TO %I', $3::text, pg_catalog.pg_get_userbyid(m.parent_owner))
      FROM model AS m
     WHERE pg_catalog.pg_get_userbyid(m.parent_owner) <> current_user
)
SELECT s.sql
  FROM statement AS s
 ORDER BY s.ord, s.name
