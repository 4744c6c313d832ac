SELECT a.attrelid,
	a.attname,
	t.typname,
	a.atttypmod,
	a.attnotnull,
	-- A validated CHECK (column IS NOT NULL) spares SET NOT NULL its scan; conbin is read as text because
	-- pg_get_constraintdef() opens the relation.
	EXISTS (
		SELECT FROM pg_catalog.pg_constraint c
		WHERE c.conrelid = a.attrelid
			AND c.contype = 'c'
			AND c.convalidated
			AND c.conkey = ARRAY[a.attnum]
			AND c.conbin::text LIKE '{NULLTEST :arg {VAR %:nulltesttype 1 %'),
	COALESCE(base.typname, '')
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type base ON base.oid = t.typbasetype AND t.typtypmod = -1
WHERE a.attrelid = ANY ($1::pg_catalog.oid[])
	AND a.attnum > 0
	AND NOT a.attisdropped
