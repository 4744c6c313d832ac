-- The columns of the key by which rows are told apart: the primary key, or else the narrowest unique index of
-- columns that are all NOT NULL. $1: the table's oid.
WITH best AS (
        SELECT i.indexrelid, i.indkey::int2[] AS attnums, i.indnkeyatts
          FROM pg_catalog.pg_index AS i
          JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
          JOIN pg_catalog.pg_am AS m ON m.oid = c.relam AND m.amname = 'btree'
         WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND NOT i.indisexclusion
           AND i.indpred IS NULL AND i.indexprs IS NULL
           AND NOT EXISTS (SELECT FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
                             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                            WHERE k.n <= i.indnkeyatts AND NOT a.attnotnull)
         ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid
         LIMIT 1)
SELECT pg_catalog.quote_ident(a.attname), pg_catalog.format_type(a.atttypid, a.atttypmod)
  FROM best AS b
 CROSS JOIN LATERAL pg_catalog.unnest(b.attnums) WITH ORDINALITY AS k (attnum, n)
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = $1::oid AND a.attnum = k.attnum
 WHERE k.n <= b.indnkeyatts
 ORDER BY k.n
