-- Expressions and predicates go through pg_get_expr(), which takes no relation lock on 13 to 17 and a brief
-- ACCESS SHARE on later ones; lock_timeout bounds it. pg_get_indexdef() is not used: it always locks.
SELECT i.indexrelid,
	i.indrelid,
	c.relname,
	am.amname,
	i.indisunique,
	i.indisprimary,
	i.indisvalid,
	i.indisready,
	i.indisreplident,
	EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')),
	i.indnkeyatts,
	i.indkey::pg_catalog.int2[],
	i.indoption::pg_catalog.int2[],
	ARRAY(
		SELECT CASE
				WHEN o.opcdefault THEN NULL
				WHEN os.nspname = 'pg_catalog' THEN pg_catalog.quote_ident(o.opcname)
				ELSE pg_catalog.quote_ident(os.nspname) || '.' || pg_catalog.quote_ident(o.opcname)
			END
		FROM pg_catalog.unnest(i.indclass::pg_catalog.oid[]) WITH ORDINALITY AS u (oid, n)
		JOIN pg_catalog.pg_opclass o ON o.oid = u.oid
		JOIN pg_catalog.pg_namespace os ON os.oid = o.opcnamespace
		ORDER BY u.n
	),
	i.indcollation::pg_catalog.oid[],
	pg_catalog.pg_get_expr(i.indexprs, i.indrelid),
	pg_catalog.pg_get_expr(i.indpred, i.indrelid),
	c.relpages,
	c.reltuples,
	COALESCE(s.idx_scan, 0),
	c.relkind = 'I'
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
JOIN pg_catalog.pg_am am ON am.oid = c.relam
LEFT JOIN pg_catalog.pg_stat_all_indexes s ON s.indexrelid = i.indexrelid
WHERE t.relkind IN ('r', 'p', 'm')
	AND t.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
ORDER BY i.indexrelid
