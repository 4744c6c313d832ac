-- The largest 500 indexes with their use, as one JSON array.
SELECT coalesce(pg_catalog.jsonb_agg(x.item ORDER BY x.bytes DESC), '[]'::jsonb)
  FROM (SELECT pg_catalog.jsonb_build_object(
                   'schema', s.schemaname, 'table', s.relname, 'index', s.indexrelname,
                   'scans', s.idx_scan, 'rows_read', s.idx_tup_read, 'rows_fetched', s.idx_tup_fetch,
                   'size_bytes', c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint,
                   'unique', i.indisunique, 'primary', i.indisprimary, 'valid', i.indisvalid) AS item,
               c.relpages AS bytes
          FROM pg_catalog.pg_stat_user_indexes AS s
          JOIN pg_catalog.pg_index AS i ON i.indexrelid = s.indexrelid
          JOIN pg_catalog.pg_class AS c ON c.oid = s.indexrelid
         WHERE s.schemaname <> 'pgmend'
         ORDER BY c.relpages DESC
         LIMIT 500) AS x
