SELECT k.conname,
	k.conrelid,
	k.confrelid,
	k.conkey,
	k.confkey,
	k.confdeltype
FROM pg_catalog.pg_constraint k
WHERE k.contype = 'f'
	AND k.conparentid = 0
	AND (pg_catalog.to_jsonb(k) ->> 'conenforced') IS DISTINCT FROM 'false'
ORDER BY k.oid
