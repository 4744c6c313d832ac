-- The indexes of a table. $1: its oid; $2: the key. Sizes as the last VACUUM or ANALYZE saw them: no lock.
SELECT i.indexrelid, c.relname, i.indisunique, i.indisprimary, i.indisexclusion, i.indisvalid AND i.indisready,
       i.indisreplident, i.indisclustered,
       pg_catalog.pg_get_indexdef(i.indexrelid),
       con.conname, con.contype, con.condeferrable, con.condeferred,
       -- whether the key is among the key columns
       EXISTS (SELECT FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
               WHERE a.attname = $2 AND k.n <= i.indnkeyatts) AS has_key,
       i.indnatts > i.indnkeyatts AS includes,
       -- names of the key columns and of the others; NULL where an expression is among them
       (SELECT CASE WHEN bool_and(a.attname IS NOT NULL)
                    THEN pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY k.n) END
          FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
          LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
         WHERE k.n <= i.indnkeyatts),
       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY k.n)
          FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
         WHERE k.n > i.indnkeyatts AND a.attname <> $2),
       c.relpages::bigint * 8192,
       (SELECT s.spcname FROM pg_catalog.pg_tablespace AS s WHERE s.oid = c.reltablespace),
       pg_catalog.obj_description(i.indexrelid, 'pg_class'),
       pg_catalog.obj_description(con.oid, 'pg_constraint'),
       pg_catalog.pg_get_constraintdef(con.oid),
       (SELECT pg_catalog.string_agg(pg_catalog.format('%s=%L', o.option_name, o.option_value), ', ')
          FROM pg_catalog.pg_options_to_table(c.reloptions) AS o),
       i.indpred IS NOT NULL,
       -- whose plans depend on the constraint (GROUP BY its columns)
       EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                WHERE d.refclassid = 'pg_catalog.pg_constraint'::regclass AND d.refobjid = con.oid
                  AND d.classid = 'pg_catalog.pg_rewrite'::regclass)
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
  LEFT JOIN pg_catalog.pg_constraint AS con
    ON con.conindid = i.indexrelid AND con.conrelid = i.indrelid AND con.contype IN ('p', 'u', 'x')
 WHERE i.indrelid = $1::oid
 ORDER BY i.indisprimary DESC, c.relname
