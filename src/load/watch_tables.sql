-- What was done to each table since its statistics were reset; sizes by pg_class, which locks nothing. At
-- most 10,000 tables, the largest.
SELECT s.schemaname, s.relname,
       coalesce(s.seq_scan, 0), coalesce(s.seq_tup_read, 0), coalesce(s.idx_scan, 0),
       s.n_tup_ins, s.n_tup_upd, s.n_tup_del,
       c.relpages::float8 * pg_catalog.current_setting('block_size')::float8
  FROM pg_catalog.pg_stat_user_tables AS s
  JOIN pg_catalog.pg_class AS c ON c.oid = s.relid
 WHERE c.relpersistence <> 't'
 ORDER BY c.relpages DESC, s.relid
 LIMIT 10000
