-- The triggers of a table. $1: its oid.
SELECT g.tgname, pg_catalog.pg_get_triggerdef(g.oid), g.tgtype & 1 = 1, g.tgenabled,
       pg_catalog.obj_description(g.oid, 'pg_trigger')
  FROM pg_catalog.pg_trigger AS g
 WHERE g.tgrelid = $1::oid AND NOT g.tgisinternal
 ORDER BY g.tgname
