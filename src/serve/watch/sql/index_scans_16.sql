-- When indexes were last scanned, in seconds since 1970.
SELECT w.oid,
	EXTRACT(epoch FROM pg_catalog.pg_stat_get_lastscan(w.oid)) AS last_scan
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS w (oid)
WHERE pg_catalog.pg_stat_get_lastscan(w.oid) IS NOT NULL
