-- %1$s: the expression; %2$s: the table; %3$s: TABLESAMPLE or nothing; %4$d: rows at most. One row: the
-- rows looked at, nulls, distinct values, values seen once, the average width (the CTE is materialised as
-- tuples, in which a short value has a one-byte header as it has in an index), the common values and their
-- shares, bounds of equal shares of the others, and the type.
WITH s AS MATERIALIZED (
	SELECT %1$s AS v
	FROM %2$s %3$s
	LIMIT %4$d
),
k AS MATERIALIZED (
	SELECT v,
		pg_catalog.count(*) AS seen
	FROM s
	WHERE v IS NOT NULL
	GROUP BY v
),
n AS (
	SELECT pg_catalog.count(*) AS rows,
		pg_catalog.count(*) FILTER (WHERE v IS NULL) AS nulls,
		pg_catalog.avg(pg_catalog.pg_column_size(v)) AS width
	FROM s
),
c AS (
	SELECT v,
		seen::pg_catalog.float8 / n.rows AS share
	FROM k, n
	WHERE seen >= 10
	ORDER BY seen DESC, v
	LIMIT 100
)
SELECT n.rows,
	n.nulls,
	(SELECT pg_catalog.count(*) FROM k),
	(SELECT pg_catalog.count(*) FROM k WHERE seen = 1),
	n.width,
	(SELECT pg_catalog.array_agg(pg_catalog.left(v::pg_catalog.text, 500) ORDER BY share DESC, v) FROM c),
	(SELECT pg_catalog.array_agg(share ORDER BY share DESC, v) FROM c),
	(
		SELECT pg_catalog.percentile_disc(ARRAY(SELECT i / 100.0 FROM pg_catalog.generate_series(0, 100) AS i))
			WITHIN GROUP (ORDER BY s.v)
		FROM s
		WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.v = s.v)
	)::pg_catalog.text,
	t.typname,
	t.typcategory,
	t.typlen,
	t.typalign,
	EXISTS (
		SELECT 1
		FROM pg_catalog.pg_opclass o
		JOIN pg_catalog.pg_am am ON am.oid = o.opcmethod
		JOIN pg_catalog.pg_amproc p ON p.amprocfamily = o.opcfamily
			AND p.amproclefttype = o.opcintype
			AND p.amprocnum = 4
		WHERE am.amname = 'btree'
			AND o.opcdefault
			AND o.opcintype = CASE t.typname WHEN 'varchar' THEN 'pg_catalog.text'::pg_catalog.regtype ELSE t.oid END
			AND pg_catalog.btequalimage(o.opcintype)
	)
FROM n, pg_catalog.pg_type t
WHERE t.oid = (SELECT pg_catalog.pg_typeof(v) FROM s LIMIT 1)
