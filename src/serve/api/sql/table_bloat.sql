-- Dead rows and sizes of the tables that have most of them, as one JSON array. How much of a table is empty is
-- an estimate of the checks table_bloat and index_bloat, whose findings are the recommendations.
SELECT coalesce(pg_catalog.jsonb_agg(x.item), '[]'::jsonb)
  FROM (SELECT pg_catalog.jsonb_build_object(
                   'schema', t.schemaname, 'table', t.relname,
                   'live_rows', t.n_live_tup, 'dead_rows', t.n_dead_tup,
                   'dead_ratio', pg_catalog.round(t.n_dead_tup::numeric
                                     / nullif(t.n_live_tup + t.n_dead_tup, 0), 4),
                   'size_bytes', c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint,
                   'last_vacuum', greatest(t.last_vacuum, t.last_autovacuum),
                   'last_analyze', greatest(t.last_analyze, t.last_autoanalyze)) AS item
          FROM pg_catalog.pg_stat_user_tables AS t
          JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
         WHERE t.schemaname <> 'pgmend'
         ORDER BY t.n_dead_tup DESC, c.relpages DESC
         LIMIT 200) AS x
