-- What a table is, in parts: a Plan holds the sum of each, and the swap is carried out only while they are the same.
-- $1: its oid; $2: names that the Plan itself adds (a constraint, indexes) or changes (the key, which it makes NOT
-- NULL). Nothing in it depends on statistics, sizes or rows.
WITH parts AS (
        SELECT 'columns' AS part, pg_catalog.format('%s %I %s %s %s %s %s %s %s %s', a.attnum, a.attname,
                   pg_catalog.format_type(a.atttypid, a.atttypmod), a.attcollation,
                   a.attnotnull OR a.attname = ANY ($2::text[]), a.attidentity, a.attgenerated, a.attstorage,
                   pg_catalog.pg_get_expr(d.adbin, d.adrelid),
                   pg_catalog.to_jsonb(a) ->> 'attstattarget') AS line
          FROM pg_catalog.pg_attribute AS a
          LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
         UNION ALL
        SELECT 'constraints', pg_catalog.format('%I %s %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid),
                                                k.convalidated)
          FROM pg_catalog.pg_constraint AS k
         WHERE k.conrelid = $1::oid AND k.conname <> ALL ($2::text[]) AND k.contype <> 'n'
         UNION ALL
        SELECT 'references to it', pg_catalog.format('%s %I', k.conrelid, k.conname)
          FROM pg_catalog.pg_constraint AS k
         WHERE k.confrelid = $1::oid AND k.contype = 'f'
         UNION ALL
        SELECT 'indexes', pg_catalog.format('%s %s %s', pg_catalog.pg_get_indexdef(i.indexrelid), i.indisvalid,
                                            i.indisreplident)
          FROM pg_catalog.pg_index AS i
          JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
         WHERE i.indrelid = $1::oid AND c.relname <> ALL ($2::text[])
         UNION ALL
        SELECT 'triggers', pg_catalog.format('%s %s', pg_catalog.pg_get_triggerdef(g.oid), g.tgenabled)
          FROM pg_catalog.pg_trigger AS g
         WHERE g.tgrelid = $1::oid AND NOT g.tgisinternal
         UNION ALL
        SELECT 'policies', pg_catalog.format('%I %s %s %s %s %s', p.polname, p.polcmd, p.polpermissive, p.polroles,
                   pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
          FROM pg_catalog.pg_policy AS p
         WHERE p.polrelid = $1::oid
         UNION ALL
        SELECT 'owner, rights and options', pg_catalog.format('%s %s %s %s %s %s %s %s', c.relowner, c.relacl,
                   c.reloptions, c.relpersistence, c.reltablespace, c.relreplident, c.relrowsecurity,
                   c.relforcerowsecurity)
          FROM pg_catalog.pg_class AS c
         WHERE c.oid = $1::oid
         UNION ALL
        SELECT 'rights on columns', pg_catalog.format('%I %s', a.attname, a.attacl)
          FROM pg_catalog.pg_attribute AS a
         WHERE a.attrelid = $1::oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
         UNION ALL
        SELECT 'inheritance', pg_catalog.format('%s %s', i.inhrelid, i.inhparent)
          FROM pg_catalog.pg_inherits AS i
         WHERE i.inhparent = $1::oid OR i.inhrelid = $1::oid
         UNION ALL
        SELECT 'publications', r.prpubid::text
          FROM pg_catalog.pg_publication_rel AS r
         WHERE r.prrelid = $1::oid
         UNION ALL
        SELECT DISTINCT 'views and rules', pg_catalog.format('%s %s', w.ev_class, pg_catalog.pg_get_viewdef(w.ev_class))
          FROM pg_catalog.pg_depend AS d
          JOIN pg_catalog.pg_rewrite AS w ON w.oid = d.objid
         WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
           AND d.refobjid = $1::oid),
     names (part) AS (
        VALUES ('columns'), ('constraints'), ('references to it'), ('indexes'), ('triggers'), ('policies'),
               ('owner, rights and options'), ('rights on columns'), ('inheritance'), ('publications'),
               ('views and rules'))
SELECT n.part, pg_catalog.md5(coalesce(pg_catalog.string_agg(p.line, E'\n' ORDER BY p.line COLLATE "C"), ''))
  FROM names AS n
  LEFT JOIN parts AS p ON p.part = n.part
 GROUP BY n.part
 ORDER BY n.part
