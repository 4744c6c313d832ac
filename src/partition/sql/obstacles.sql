-- What stands in the way of making a table partitioned, but for foreign keys that refer to it (incoming.sql). $1: its
-- oid. Answer: a class and a line.
WITH t AS (SELECT c.* FROM pg_catalog.pg_class AS c WHERE c.oid = $1::oid)
SELECT 'constraint', pg_catalog.format('%s %I is NOT VALID',
                                       CASE k.contype WHEN 'f' THEN 'foreign key' ELSE 'constraint' END, k.conname)
  FROM pg_catalog.pg_constraint AS k
 WHERE k.conrelid = $1::oid AND NOT k.convalidated
 UNION ALL
SELECT 'constraint', pg_catalog.format('constraint %I is NO INHERIT', k.conname)
  FROM pg_catalog.pg_constraint AS k
 WHERE k.conrelid = $1::oid AND k.connoinherit AND k.contype IN ('c', 'n')
 UNION ALL
SELECT 'trigger', pg_catalog.format('trigger %I is for each row and names transition tables', g.tgname)
  FROM pg_catalog.pg_trigger AS g
 WHERE g.tgrelid = $1::oid AND NOT g.tgisinternal AND g.tgtype & 1 = 1
   AND (g.tgoldtable IS NOT NULL OR g.tgnewtable IS NOT NULL)
 UNION ALL
SELECT 'rule', pg_catalog.format('it has rule %I', r.rulename)
  FROM pg_catalog.pg_rewrite AS r
 WHERE r.ev_class = $1::oid
 UNION ALL
-- Views are made anew in the swap; whatever else holds on to the table by its identity cannot be.
SELECT DISTINCT 'dependent', pg_catalog.pg_describe_object(
           CASE WHEN d.classid = 'pg_catalog.pg_rewrite'::regclass
                THEN 'pg_catalog.pg_class'::regclass ELSE d.classid END,
           coalesce(v.oid, d.objid), CASE WHEN v.oid IS NULL THEN d.objsubid ELSE 0 END)
       || CASE WHEN d.refclassid = 'pg_catalog.pg_type'::regclass THEN ' uses its row type'
               ELSE ' depends on it' END
  FROM t
  JOIN pg_catalog.pg_type AS y ON y.oid = t.reltype
  JOIN pg_catalog.pg_depend AS d
    ON (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid
        OR d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid IN (y.oid, y.typarray))
  LEFT JOIN pg_catalog.pg_rewrite AS r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
  LEFT JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class
 WHERE d.deptype IN ('n', 'a')
   AND NOT (d.classid = 'pg_catalog.pg_class'::regclass
            AND EXISTS (SELECT FROM pg_catalog.pg_class AS o
                         WHERE o.oid = d.objid AND o.relkind IN ('i', 'S', 't')))
   -- PostgreSQL 13: a generated column on those that it is computed from
   AND NOT (d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = t.oid)
   AND NOT (d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = y.typarray)
   AND NOT (d.classid = 'pg_catalog.pg_attrdef'::regclass
            AND EXISTS (SELECT FROM pg_catalog.pg_attrdef AS f WHERE f.oid = d.objid AND f.adrelid = t.oid))
   AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass
            AND EXISTS (SELECT FROM pg_catalog.pg_constraint AS f
                         WHERE f.oid = d.objid AND (f.conrelid = t.oid OR f.confrelid = t.oid)))
   AND NOT (d.classid = 'pg_catalog.pg_trigger'::regclass
            AND EXISTS (SELECT FROM pg_catalog.pg_trigger AS f WHERE f.oid = d.objid AND f.tgrelid = t.oid))
   AND NOT (d.classid = 'pg_catalog.pg_policy'::regclass
            AND EXISTS (SELECT FROM pg_catalog.pg_policy AS f WHERE f.oid = d.objid AND f.polrelid = t.oid))
   AND d.classid NOT IN ('pg_catalog.pg_statistic_ext'::regclass, 'pg_catalog.pg_publication_rel'::regclass)
   -- a plain view that reads the table, not its row type
   AND NOT (coalesce(v.relkind = 'v', false) AND d.refclassid = 'pg_catalog.pg_class'::regclass)
   AND coalesce(v.oid, 0) <> t.oid
 ORDER BY 1, 2
