-- How often each index was read since its statistics were reset. At most 20,000, the largest.
SELECT s.schemaname, s.relname, s.indexrelname, s.idx_scan, s.idx_tup_read,
       c.relpages::float8 * pg_catalog.current_setting('block_size')::float8,
       i.indisunique
  FROM pg_catalog.pg_stat_user_indexes AS s
  JOIN pg_catalog.pg_class AS c ON c.oid = s.indexrelid
  JOIN pg_catalog.pg_index AS i ON i.indexrelid = s.indexrelid
 WHERE c.relpersistence <> 't'
 ORDER BY c.relpages DESC, s.indexrelid
 LIMIT 20000
