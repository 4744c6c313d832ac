-- Tables that a conversion of this table left, and what captures changes for the way back to them. $1: the table's
-- oid. One row for each table with triggers: the old table's oid, its name, whether it can go, the table with the
-- triggers, the constraint that proved its bounds.
SELECT f.old, pg_catalog.format('%I.%I', n.nspname, o.relname), o.oid IS NOT NULL AND NOT o.relispartition AND o.oid <> $1::oid,
       pg_catalog.format('%I.%I', tn.nspname, t.relname),
       (SELECT pg_catalog.quote_ident(k.conname)
          FROM pg_catalog.pg_constraint AS k
         WHERE k.conrelid = t.oid AND k.contype = 'c' AND k.conname LIKE '%\_pgmend\_range' AND k.conislocal)
  FROM pg_catalog.pg_trigger AS g
  JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
  JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.pronamespace AND pn.nspname = 'pgmend'
 CROSS JOIN LATERAL (SELECT (pg_catalog.regexp_match(p.proname, '^copy_(\d+)_back_new$'))[1]::oid AS old) AS f
  JOIN pg_catalog.pg_class AS t ON t.oid = g.tgrelid
  JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
  LEFT JOIN pg_catalog.pg_class AS o ON o.oid = f.old
  LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = o.relnamespace
 WHERE f.old IS NOT NULL
   AND (t.oid = $1::oid OR EXISTS (SELECT FROM pg_catalog.pg_inherits AS i
                                    WHERE i.inhrelid = t.oid AND i.inhparent = $1::oid))
 ORDER BY f.old, t.relname
