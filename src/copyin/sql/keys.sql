-- The keys of a table that ON CONFLICT can name: unique, on plain columns, without a condition, checked at
-- once. $1: its oid; $2: the columns looked for, or NULL: all keys.
SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ',' ORDER BY k.position)
  FROM pg_catalog.pg_index AS i
 CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, position)
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
 WHERE i.indrelid = $1::oid
   AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
   AND k.position <= i.indnkeyatts
 GROUP BY i.indexrelid, i.indisprimary
HAVING $2::text[] IS NULL
    OR (pg_catalog.array_agg(a.attname::text) @> $2::text[] AND pg_catalog.array_agg(a.attname::text) <@ $2::text[])
 ORDER BY i.indisprimary DESC, 1
