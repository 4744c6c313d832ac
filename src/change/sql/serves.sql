-- Indexes of relation $1 that are what the index of pg_temp.pgmend_shape is: same method, keys, order,
-- operator classes, INCLUDE and predicate; a unique one also serves where uniqueness was not asked for.
SELECT n.nspname, c.relname, c.oid, i.indisvalid AND i.indisready AND i.indislive
  FROM pg_catalog.pg_class AS sr
  JOIN pg_catalog.pg_index AS s ON s.indrelid = sr.oid
  JOIN pg_catalog.pg_class AS sc ON sc.oid = s.indexrelid
  JOIN pg_catalog.pg_index AS i ON i.indrelid = $1::oid
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid AND c.relam = sc.relam
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE sr.relnamespace = pg_catalog.pg_my_temp_schema()
   AND sr.relname = 'pgmend_shape'
   AND i.indnatts = s.indnatts
   AND i.indnkeyatts = s.indnkeyatts
   AND i.indclass = s.indclass
   AND i.indcollation = s.indcollation
   AND i.indoption::text = s.indoption::text
   AND NOT i.indisexclusion
   AND (NOT s.indisunique
        OR (i.indisunique
            AND i.indimmediate
            AND pg_catalog.to_jsonb(i) -> 'indnullsnotdistinct'
                IS NOT DISTINCT FROM pg_catalog.to_jsonb(s) -> 'indnullsnotdistinct'))
   AND pg_catalog.pg_get_expr(i.indpred, i.indrelid) IS NOT DISTINCT FROM pg_catalog.pg_get_expr(s.indpred, s.indrelid)
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.generate_series(1, s.indnatts) AS k (n)
                    WHERE pg_catalog.pg_get_indexdef(i.indexrelid, k.n, false)
                          <> pg_catalog.pg_get_indexdef(s.indexrelid, k.n, false))
 ORDER BY 4 DESC, c.relname = $2 DESC, c.oid
