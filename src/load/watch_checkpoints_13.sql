-- As watch_look.sql, which it is added to: checkpoints, up to PostgreSQL 16.
SELECT 'counter', 'checkpoints', '', (b.checkpoints_timed + b.checkpoints_req)::float8
  FROM pg_catalog.pg_stat_bgwriter AS b
