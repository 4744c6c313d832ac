-- VACUUMs and builds of indexes under way in this database, at most 20. Names come from the catalog, which
-- locks nothing.
SELECT u.*
FROM (
(SELECT pg_catalog.current_database() AS datname,
	pg_catalog.format('%s.%s', n.nspname, c.relname) AS relname,
	'' AS phase,
	v.heap_blks_total AS pg_stat_progress_vacuum_heap_blks,
	v.heap_blks_scanned AS pg_stat_progress_vacuum_heap_blks_scanned,
	v.heap_blks_vacuumed AS pg_stat_progress_vacuum_heap_blks_vacuumed,
	v.index_vacuum_count AS pg_stat_progress_vacuum_index_vacuums,
	NULL::pg_catalog.float8 AS pgmend_index_build_ratio
FROM pg_catalog.pg_stat_progress_vacuum AS v
JOIN pg_catalog.pg_class AS c ON c.oid = v.relid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE v.datname = pg_catalog.current_database()
ORDER BY v.heap_blks_total DESC
LIMIT 20)
UNION ALL
(SELECT pg_catalog.current_database(),
	coalesce(pg_catalog.format('%s.%s', n.nspname, c.relname), ''),
	p.phase,
	NULL,
	NULL,
	NULL,
	NULL,
	CASE
		WHEN p.blocks_total > 0 THEN p.blocks_done::pg_catalog.float8 / p.blocks_total
		WHEN p.tuples_total > 0 THEN p.tuples_done::pg_catalog.float8 / p.tuples_total
		ELSE 0
	END
FROM pg_catalog.pg_stat_progress_create_index AS p
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = p.index_relid
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE p.datname = pg_catalog.current_database()
LIMIT 20)
) AS u
