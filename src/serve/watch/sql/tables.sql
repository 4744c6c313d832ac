-- The tables of this database that are worth a look: $1 at most, those of $2 (by oid) first, then the largest
-- and the most used. Sizes are the catalog's pages: functions that measure files would wait for locks. $3 is
-- the schema that is ours. all_* are of all tables, the others left out here included.
WITH setting AS MATERIALIZED (
	SELECT pg_catalog.current_setting('block_size')::pg_catalog.float8 AS block_size,
		pg_catalog.current_setting('autovacuum_vacuum_threshold')::pg_catalog.float8 AS threshold,
		pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::pg_catalog.float8 AS factor,
		coalesce(nullif(pg_catalog.current_setting('autovacuum_vacuum_max_threshold', true), '-1')
			::pg_catalog.float8, 'Infinity') AS most
),
candidate AS MATERIALIZED (
	SELECT c.oid,
		c.relname,
		n.nspname,
		c.relkind,
		c.relpages,
		c.reltuples,
		c.reltoastrelid,
		c.reloptions,
		CASE WHEN c.relfrozenxid <> '0' THEN pg_catalog.age(c.relfrozenxid) ELSE 0 END AS frozen_age,
		pg_catalog.count(*) OVER () AS all_tables,
		max(CASE WHEN c.relfrozenxid <> '0' THEN pg_catalog.age(c.relfrozenxid) ELSE 0 END) OVER ()
			AS all_frozen_age
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'm', 'p')
		AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
		AND n.nspname NOT LIKE 'pg\_temp\_%'
		AND n.nspname <> $3::pg_catalog.text
	ORDER BY c.oid = ANY ($2::pg_catalog.oid[]) DESC,
		c.relpages::pg_catalog.float8 * 100
			+ pg_catalog.pg_stat_get_tuples_returned(c.oid)
			+ pg_catalog.pg_stat_get_tuples_inserted(c.oid)
			+ pg_catalog.pg_stat_get_tuples_updated(c.oid)
			+ pg_catalog.pg_stat_get_tuples_deleted(c.oid) DESC,
		c.oid
	LIMIT $1::pg_catalog.int8
),
index AS MATERIALIZED (
	SELECT x.indrelid,
		pg_catalog.sum(i.relpages::pg_catalog.float8) AS pages,
		pg_catalog.sum(pg_catalog.pg_stat_get_numscans(x.indexrelid)) AS scans,
		pg_catalog.sum(pg_catalog.pg_stat_get_tuples_fetched(x.indexrelid)) AS rows,
		pg_catalog.sum(pg_catalog.pg_stat_get_blocks_fetched(x.indexrelid)) AS fetched,
		pg_catalog.sum(pg_catalog.pg_stat_get_blocks_hit(x.indexrelid)) AS hit
	FROM pg_catalog.pg_index AS x
	JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
	WHERE x.indrelid IN (SELECT c.oid FROM candidate AS c)
	GROUP BY x.indrelid
)
SELECT c.oid,
	c.nspname,
	c.relname,
	c.relkind,
	pg_catalog.pg_stat_get_live_tuples(c.oid) AS live_rows,
	pg_catalog.pg_stat_get_dead_tuples(c.oid) AS dead_rows,
	pg_catalog.pg_stat_get_mod_since_analyze(c.oid) AS modified_since_analyze,
	pg_catalog.pg_stat_get_numscans(c.oid) AS seq_scans,
	pg_catalog.pg_stat_get_tuples_returned(c.oid) AS seq_rows,
	coalesce(x.scans, 0) AS idx_scans,
	coalesce(x.rows, 0) + pg_catalog.pg_stat_get_tuples_fetched(c.oid) AS idx_rows,
	pg_catalog.pg_stat_get_tuples_inserted(c.oid) AS inserts,
	pg_catalog.pg_stat_get_tuples_updated(c.oid) AS updates,
	pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS deletes,
	pg_catalog.pg_stat_get_tuples_hot_updated(c.oid) AS hot_updates,
	pg_catalog.pg_stat_get_blocks_fetched(c.oid) - pg_catalog.pg_stat_get_blocks_hit(c.oid) AS heap_read,
	pg_catalog.pg_stat_get_blocks_hit(c.oid) AS heap_hit,
	coalesce(x.fetched - x.hit, 0) AS idx_read,
	coalesce(x.hit, 0) AS idx_hit,
	(c.relpages::pg_catalog.float8 + coalesce(t.relpages, 0)) * s.block_size AS table_bytes,
	coalesce(x.pages, 0) * s.block_size AS index_bytes,
	EXTRACT(epoch FROM pg_catalog.pg_stat_get_last_vacuum_time(c.oid)) AS last_vacuum,
	EXTRACT(epoch FROM pg_catalog.pg_stat_get_last_autovacuum_time(c.oid)) AS last_autovacuum,
	EXTRACT(epoch FROM pg_catalog.pg_stat_get_last_analyze_time(c.oid)) AS last_analyze,
	EXTRACT(epoch FROM pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid)) AS last_autoanalyze,
	pg_catalog.pg_stat_get_vacuum_count(c.oid) AS vacuums,
	pg_catalog.pg_stat_get_autovacuum_count(c.oid) AS autovacuums,
	pg_catalog.pg_stat_get_analyze_count(c.oid) AS analyzes,
	pg_catalog.pg_stat_get_autoanalyze_count(c.oid) AS autoanalyzes,
	c.frozen_age,
	pg_catalog.pg_stat_get_dead_tuples(c.oid) / greatest(1, least(s.most,
		coalesce(o.threshold, s.threshold) + coalesce(o.factor, s.factor) * greatest(c.reltuples, 0)))
		AS vacuum_due,
	c.all_tables,
	c.all_frozen_age
FROM candidate AS c
CROSS JOIN setting AS s
LEFT JOIN index AS x ON x.indrelid = c.oid
LEFT JOIN pg_catalog.pg_class AS t ON t.oid = c.reltoastrelid
LEFT JOIN LATERAL (
	SELECT max(p.option_value::pg_catalog.float8) FILTER (WHERE p.option_name = 'autovacuum_vacuum_threshold')
			AS threshold,
		max(p.option_value::pg_catalog.float8)
			FILTER (WHERE p.option_name = 'autovacuum_vacuum_scale_factor') AS factor
	FROM pg_catalog.pg_options_to_table(c.reloptions) AS p
	WHERE p.option_name IN ('autovacuum_vacuum_threshold', 'autovacuum_vacuum_scale_factor')
) AS o ON c.reloptions IS NOT NULL
