-- %1$s: what makes the keys of one value, a set-returning FROM item over s.v; %2$s: the column; %3$s: the
-- table; %4$s: TABLESAMPLE or nothing; %5$d: rows at most. Gives rows, entries, distinct keys, and keys that
-- were seen once.
WITH s AS MATERIALIZED (
	SELECT pg_catalog.row_number() OVER () AS n,
		t.v
	FROM (
		SELECT %2$s AS v
		FROM %3$s %4$s
		LIMIT %5$d
	) t
),
k AS (
	SELECT e.key,
		pg_catalog.count(DISTINCT s.n) AS seen
	FROM s, %1$s AS e (key)
	GROUP BY e.key
)
SELECT (SELECT pg_catalog.count(*) FROM s),
	COALESCE(pg_catalog.sum(seen), 0),
	pg_catalog.count(*),
	pg_catalog.count(*) FILTER (WHERE seen = 1)
FROM k
