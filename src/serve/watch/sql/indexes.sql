-- The indexes of this database that are worth a look: $1 at most, those of $2 (by oid) first, then the largest
-- and the most used. $3 is the schema that is ours. all_* are of all indexes.
WITH candidate AS MATERIALIZED (
	SELECT x.indexrelid,
		x.indisvalid,
		x.indisunique,
		x.indisprimary,
		i.relname,
		i.relam,
		i.relpages,
		c.relname AS tablename,
		n.nspname,
		pg_catalog.pg_stat_get_numscans(x.indexrelid) AS scans,
		pg_catalog.count(*) OVER () AS all_indexes,
		pg_catalog.count(*) FILTER (WHERE NOT x.indisvalid AND i.relkind = 'i'
			AND NOT EXISTS (SELECT
				FROM pg_catalog.pg_stat_progress_create_index AS p
				WHERE p.index_relid = x.indexrelid)) OVER () AS all_invalid
	FROM pg_catalog.pg_index AS x
	JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
	JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
		AND n.nspname NOT LIKE 'pg\_temp\_%'
		AND n.nspname <> $3::pg_catalog.text
	ORDER BY x.indexrelid = ANY ($2::pg_catalog.oid[]) DESC,
		i.relpages::pg_catalog.float8 * 100 + pg_catalog.pg_stat_get_numscans(x.indexrelid) DESC,
		x.indexrelid
	LIMIT $1::pg_catalog.int8
)
SELECT c.indexrelid AS oid,
	c.nspname,
	c.tablename,
	c.relname,
	m.amname,
	c.scans,
	pg_catalog.pg_stat_get_tuples_returned(c.indexrelid) AS rows_read,
	pg_catalog.pg_stat_get_tuples_fetched(c.indexrelid) AS rows_fetched,
	pg_catalog.pg_stat_get_blocks_fetched(c.indexrelid) - pg_catalog.pg_stat_get_blocks_hit(c.indexrelid)
		AS read_blocks,
	pg_catalog.pg_stat_get_blocks_hit(c.indexrelid) AS hit_blocks,
	c.relpages::pg_catalog.float8 * pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes,
	c.indisvalid,
	c.indisunique,
	c.indisprimary,
	EXISTS (SELECT
		FROM pg_catalog.pg_constraint AS k
		WHERE k.conindid = c.indexrelid AND k.contype IN ('p', 'u', 'x')) AS is_constraint,
	c.all_indexes,
	c.all_invalid
FROM candidate AS c
JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
