-- $1: oids of tables. Partitioned tables have inherited statistics only.
SELECT c.oid,
	a.attnum,
	s.null_frac,
	s.avg_width,
	s.n_distinct,
	COALESCE(s.correlation, 0),
	s.most_common_vals::pg_catalog.text,
	s.most_common_freqs::pg_catalog.text,
	s.histogram_bounds::pg_catalog.text,
	s.most_common_elems::pg_catalog.text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
WHERE c.oid = ANY ($1::pg_catalog.oid[])
	AND s.inherited = (c.relkind = 'p')
