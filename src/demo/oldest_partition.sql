-- The first partition of the activity log that has a lower bound.
SELECT c.oid::pg_catalog.regclass
  FROM pg_catalog.pg_inherits AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'activity_log.activity_logs'::pg_catalog.regclass
   AND pg_catalog.pg_get_expr(c.relpartbound, c.oid) NOT LIKE '%MINVALUE%'
 ORDER BY pg_catalog.pg_get_expr(c.relpartbound, c.oid)
 LIMIT 1
