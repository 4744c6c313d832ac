-- The columns of a table, with what a load has to know of each. $1: its oid.
SELECT a.attname,
       pg_catalog.format_type(a.atttypid, a.atttypmod),
       t.typcategory = 'A',
       coalesce(b.typname, t.typname) IN ('json', 'jsonb'),
       a.attnotnull OR t.typnotnull,
       (a.atthasdef AND a.attgenerated = '') OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
       a.attgenerated <> ''
  FROM pg_catalog.pg_attribute AS a
  JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_type AS b ON b.oid = t.typbasetype
 WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
