SELECT c.oid,
	n.nspname,
	c.relname,
	c.relkind,
	c.relpersistence,
	c.relispartition,
	COALESCE((SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1), 0),
	c.relpages,
	c.reltuples,
	c.relallvisible,
	COALESCE(s.n_tup_ins, 0),
	COALESCE(s.n_tup_upd, 0),
	COALESCE(s.n_tup_hot_upd, 0),
	COALESCE(s.n_tup_del, 0),
	pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'),
	COALESCE(toast.relpages, 0)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid
WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v')
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
ORDER BY c.oid
