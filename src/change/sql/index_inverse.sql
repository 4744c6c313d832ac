-- All that it takes to make an index again, and the indexes of its partitions. $1: the index.
SELECT c.oid, n.nspname, c.relname, c.relkind, pg_catalog.pg_get_indexdef(c.oid),
       pg_catalog.quote_ident(s.spcname),
       pg_catalog.quote_literal(pg_catalog.obj_description(c.oid, 'pg_class')),
       i.indisclustered, i.indisreplident,
       pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(tc.relname),
       t.level,
       pg_catalog.quote_ident(pn.nspname) || '.' || pg_catalog.quote_ident(p.relname),
       (SELECT pg_catalog.string_agg(
                   pg_catalog.format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s;', n.nspname, c.relname,
                                     a.attnum, a.attstattarget), E'\n' ORDER BY a.attnum)
          FROM pg_catalog.pg_attribute AS a
         WHERE a.attrelid = c.oid
           AND a.attstattarget >= 0
           AND i.indexprs IS NOT NULL)
  FROM (SELECT r.relid, r.parentrelid, r.level
          FROM pg_catalog.pg_partition_tree($1::oid::regclass) AS r
         WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS k WHERE k.oid = $1::oid AND k.relkind = 'I')
         UNION ALL
        SELECT k.oid, NULL, 0 FROM pg_catalog.pg_class AS k WHERE k.oid = $1::oid AND k.relkind = 'i') AS t
  JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
  JOIN pg_catalog.pg_class AS tc ON tc.oid = i.indrelid
  JOIN pg_catalog.pg_namespace AS tn ON tn.oid = tc.relnamespace
  LEFT JOIN pg_catalog.pg_tablespace AS s ON s.oid = c.reltablespace
  LEFT JOIN pg_catalog.pg_class AS p ON p.oid = t.parentrelid AND t.level > 0
  LEFT JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
 ORDER BY t.level, c.oid
