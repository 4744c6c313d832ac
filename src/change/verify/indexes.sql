-- The indexes of a Plan as they are now, each with those below it where it is partitioned.
--   $1 jsonb  [{"schema", "name", "relation"}]
WITH RECURSIVE wanted AS (
	SELECT w.ord, w.item ->> 'schema' AS schema, w.item ->> 'name' AS name, w.item ->> 'relation' AS relation
	FROM pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) WITH ORDINALITY AS w (item, ord)
),
tree (ord, oid, top) AS (
	SELECT w.ord, c.oid, true
	FROM wanted AS w
	JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema
	JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name
	WHERE c.relkind IN ('i', 'I')
	UNION ALL
	SELECT t.ord, h.inhrelid, false
	FROM tree AS t
	JOIN pg_catalog.pg_inherits AS h ON h.inhparent = t.oid
)
SELECT w.ord - 1 AS ord,
       pg_catalog.count(t.oid) > 0 AS found,
       pg_catalog.bool_or(t.top AND w.relation <> '' AND on_table.relname <> w.relation) AS on_other_table,
       pg_catalog.bool_and(i.indisvalid) AS valid,
       pg_catalog.bool_and(i.indisready) AS ready,
       pg_catalog.sum(c.relpages::pg_catalog.int8)
	       * pg_catalog.current_setting('block_size')::pg_catalog.int8 AS size_bytes,
       pg_catalog.sum(pg_catalog.pg_stat_get_numscans(t.oid)) AS scans,
       pg_catalog.array_agg(n.nspname::pg_catalog.text ORDER BY t.top DESC, t.oid) AS schemas,
       pg_catalog.array_agg(c.relname::pg_catalog.text ORDER BY t.top DESC, t.oid) AS names,
       pg_catalog.array_agg(t.oid::pg_catalog.text ORDER BY t.top DESC, t.oid) AS oids
FROM wanted AS w
LEFT JOIN tree AS t ON t.ord = w.ord
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.oid
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = t.oid
LEFT JOIN pg_catalog.pg_class AS on_table ON on_table.oid = i.indrelid
GROUP BY w.ord
ORDER BY w.ord
