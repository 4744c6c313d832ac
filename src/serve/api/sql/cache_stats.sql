-- What was found in shared buffers and what was not, of the database and of its most read tables.
SELECT pg_catalog.jsonb_build_object(
           'shared_buffers_bytes', pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')),
           'effective_cache_size_bytes',
               pg_catalog.pg_size_bytes(pg_catalog.current_setting('effective_cache_size')),
           'blocks_hit', d.blks_hit, 'blocks_read', d.blks_read,
           'hit_ratio', pg_catalog.round(d.blks_hit::numeric / nullif(d.blks_hit + d.blks_read, 0), 4),
           'read_ms', d.blk_read_time, 'write_ms', d.blk_write_time,
           'tables', (SELECT coalesce(pg_catalog.jsonb_agg(x.item), '[]'::jsonb)
                        FROM (SELECT pg_catalog.jsonb_build_object(
                                         'schema', t.schemaname, 'table', t.relname,
                                         'table_hit', t.heap_blks_hit, 'table_read', t.heap_blks_read,
                                         'index_hit', t.idx_blks_hit, 'index_read', t.idx_blks_read,
                                         'hit_ratio', pg_catalog.round(
                                             (t.heap_blks_hit + coalesce(t.idx_blks_hit, 0))::numeric
                                             / nullif(t.heap_blks_hit + coalesce(t.idx_blks_hit, 0)
                                                      + t.heap_blks_read + coalesce(t.idx_blks_read, 0), 0), 4))
                                     AS item
                                FROM pg_catalog.pg_statio_user_tables AS t
                               WHERE t.schemaname <> 'pgmend'
                               ORDER BY t.heap_blks_read + coalesce(t.idx_blks_read, 0) DESC
                               LIMIT 50) AS x))
  FROM pg_catalog.pg_stat_database AS d
 WHERE d.datname = pg_catalog.current_database()
