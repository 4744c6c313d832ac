-- For looking for duplicates: the key expressions of the unique index of pg_temp.pgmend_shape.
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
 GROUP BY s.*, s.indexrelid, s.indpred, s.indrelid
