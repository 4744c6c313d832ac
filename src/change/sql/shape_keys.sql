-- For looking for duplicates: the key expressions of the unique index of pg_temp.pgmend_shape. $1: the relation itself.
-- No row where a unique index that is there, on some of the same columns, proves that there are none.
SELECT pg_catalog.string_agg(pg_catalog.pg_get_indexdef(s.indexrelid, k.n, false), ', ' ORDER BY k.n),
       CASE WHEN coalesce((pg_catalog.to_jsonb(s) ->> 'indnullsnotdistinct')::boolean, false) THEN 'true'
            ELSE pg_catalog.string_agg('(' || pg_catalog.pg_get_indexdef(s.indexrelid, k.n, false)
                                       || ') IS NOT NULL', ' AND ') END,
       coalesce(pg_catalog.pg_get_expr(s.indpred, s.indrelid), 'true')
  FROM pg_catalog.pg_class AS sr
  JOIN pg_catalog.pg_index AS s ON s.indrelid = sr.oid
 CROSS JOIN LATERAL pg_catalog.generate_series(1, s.indnkeyatts) AS k (n)
 WHERE sr.relnamespace = pg_catalog.pg_my_temp_schema()
   AND sr.relname = 'pgmend_shape'
   AND s.indisunique
   AND NOT EXISTS (
           SELECT
             FROM pg_catalog.pg_index AS u
            WHERE u.indrelid = $1::oid
              AND u.indisunique AND u.indisvalid AND u.indimmediate
              AND u.indpred IS NULL AND u.indexprs IS NULL
              AND NOT coalesce((pg_catalog.to_jsonb(s) ->> 'indnullsnotdistinct')::boolean, false)
              AND NOT EXISTS (
                      SELECT
                        FROM pg_catalog.unnest(s.indcollation::oid[]) AS c (oid)
                        JOIN pg_catalog.pg_collation AS l ON l.oid = c.oid
                       WHERE NOT l.collisdeterministic)
              AND NOT EXISTS (
                      SELECT
                        FROM pg_catalog.generate_series(1, u.indnkeyatts) AS n
                       WHERE pg_catalog.pg_get_indexdef(u.indexrelid, n, false) NOT IN (
                                 SELECT pg_catalog.pg_get_indexdef(s.indexrelid, m, false)
                                   FROM pg_catalog.generate_series(1, s.indnkeyatts) AS m)))
 GROUP BY s.*, s.indexrelid, s.indpred, s.indrelid
