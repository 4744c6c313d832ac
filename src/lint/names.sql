-- Which of these names are of a function with a volatile form, and which of a domain that has constraints.
SELECT 'function', p.proname, pg_catalog.bool_or(p.provolatile = 'v')
FROM pg_catalog.pg_proc p
WHERE p.proname = ANY ($1::pg_catalog.text[])
GROUP BY p.proname
UNION ALL
SELECT 'domain', t.typname, pg_catalog.bool_or(
		t.typtype = 'd'
		AND (t.typnotnull OR EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.contypid = t.oid)))
FROM pg_catalog.pg_type t
WHERE t.typname = ANY ($2::pg_catalog.text[])
GROUP BY t.typname
