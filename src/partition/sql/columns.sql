-- The columns of a table. $1: its oid.
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
       -- of an identity or serial column: its sequence, whether it is owned, and how it counts
       sn.nspname, sc.relname,
       pg_catalog.format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s',
           s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
           CASE WHEN s.seqcycle THEN ' CYCLE' ELSE ' NO CYCLE' END),
       s.seqcache
  FROM pg_catalog.pg_attribute AS a
  LEFT JOIN (pg_catalog.pg_depend AS d
             JOIN pg_catalog.pg_class AS sc ON sc.oid = d.objid AND sc.relkind = 'S'
             JOIN pg_catalog.pg_namespace AS sn ON sn.oid = sc.relnamespace
             JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = sc.oid)
    ON d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
   AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i')
 WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
