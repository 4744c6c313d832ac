-- As watch_look.sql, which it is added to: checkpoints, from PostgreSQL 17 on.
SELECT 'counter', 'checkpoints', '', (c.num_timed + c.num_requested)::float8
  FROM pg_catalog.pg_stat_checkpointer AS c
