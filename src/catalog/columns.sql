-- The last column: whether a btree may deduplicate the column (_bt_allequalimage in nbtutils.c): its operator
-- class has support function 4, which says no to a type such as bpchar by itself, and the collation is
-- deterministic.
SELECT a.attrelid,
	a.attnum,
	a.attname,
	COALESCE(base.typname, t.typname),
	COALESCE(base.typcategory, t.typcategory),
	a.attlen,
	a.attalign,
	a.attnotnull,
	a.attcollation,
	class.found,
	class.equal_image AND COALESCE(co.collisdeterministic, true)
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type base ON base.oid = t.typbasetype AND t.typtype = 'd'
LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
CROSS JOIN LATERAL (
	SELECT pg_catalog.count(*) > 0 AS found,
		COALESCE(pg_catalog.bool_or(p.amproc IS NOT NULL AND pg_catalog.btequalimage(o.opcintype)), false)
			AS equal_image
	FROM pg_catalog.pg_opclass o
	JOIN pg_catalog.pg_am am ON am.oid = o.opcmethod
	LEFT JOIN pg_catalog.pg_amproc p ON p.amprocfamily = o.opcfamily
		AND p.amproclefttype = o.opcintype
		AND p.amprocrighttype = o.opcintype
		AND p.amprocnum = 4
	WHERE am.amname = 'btree'
		AND o.opcdefault
		AND (o.opcintype = COALESCE(base.oid, t.oid)
			OR (o.opcintype = 'pg_catalog.text'::pg_catalog.regtype
				AND COALESCE(base.typname, t.typname) = 'varchar')
			OR (o.opcintype = 'pg_catalog.anyenum'::pg_catalog.regtype AND t.typtype = 'e')
			OR (o.opcintype = 'pg_catalog.inet'::pg_catalog.regtype AND t.typname = 'cidr')
			OR (o.opcintype = 'pg_catalog.anyarray'::pg_catalog.regtype AND t.typcategory = 'A')
			OR (o.opcintype = 'pg_catalog.anyrange'::pg_catalog.regtype AND t.typtype = 'r'))
) class
WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v')
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND a.attnum > 0
	AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
