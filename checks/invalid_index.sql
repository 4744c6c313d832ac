-- id: invalid_index
-- title: Invalid index
-- family: indexes
-- severity: warning
-- versions: 13-
--
-- A CREATE INDEX CONCURRENTLY or REINDEX CONCURRENTLY that failed or was cancelled leaves an index behind
-- that no statement may use, while each write still keeps it up to date. A unique one may even refuse rows.
-- A name that ends in _ccnew is the unfinished copy of a REINDEX CONCURRENTLY: the index it was to replace
-- still serves. One that ends in _ccold is the old copy, which the new one has already replaced.
--
-- An index that is being built, rebuilt or dropped right now is not reported. A partitioned table's index is
-- invalid as long as one partition lacks its part.
WITH
progress AS MATERIALIZED (
	SELECT p.relid, p.index_relid
	FROM pg_catalog.pg_stat_progress_create_index AS p
	WHERE p.datname = pg_catalog.current_database()
),
idx AS MATERIALIZED (
	SELECT i.indexrelid, i.indisunique, i.indisready, n.nspname, t.relname, ic.relname AS index_name,
		ic.relkind,
	       ic.relpages * pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes,
	       pg_catalog.substring(ic.relname::pg_catalog.text, '_(ccnew|ccold)\d*$') AS leftover
	FROM pg_catalog.pg_index AS i
	JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
	JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
	WHERE NOT i.indisvalid
	AND t.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND NOT EXISTS (SELECT FROM progress AS p WHERE p.index_relid = i.indexrelid OR p.relid = i.indrelid)
	-- DROP INDEX CONCURRENTLY under way; VACUUM's lock on an index is a weaker one
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_locks AS l
		WHERE l.relation = i.indexrelid
		AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
				  WHERE d.datname = pg_catalog.current_database())
		AND l.mode = 'ShareUpdateExclusiveLock')
),
-- a build of another user, of which we may not see the table
hidden AS (
	SELECT pg_catalog.count(*) AS builds FROM progress WHERE relid IS NULL
),
figure AS (
	SELECT i.*, CASE
		WHEN i.relkind = 'I' THEN
			'At least one partition has no index that belongs to it, so the planner cannot rely'
				' on it.'
		WHEN i.leftover = 'ccnew' THEN
			'It is what a REINDEX CONCURRENTLY that failed left behind; the index it was to'
				' replace still serves.'
		WHEN i.leftover = 'ccold' THEN
			'It is the old copy that a REINDEX CONCURRENTLY could not drop; the new one serves.'
		ELSE 'It is what a CREATE INDEX CONCURRENTLY that failed left behind.'
		END AS cause
	FROM idx AS i
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.index_name) AS object,
       NULL AS severity,
       f.cause
       || CASE WHEN f.relkind = 'I' THEN '' ELSE pg_catalog.format(
		' No statement on %I.%I can use it, %s holds %s.', f.nspname, f.relname,
		CASE WHEN f.indisready THEN 'every write keeps it up to date, and it' ELSE 'and it' END,
		pg_catalog.pg_size_pretty(f.bytes::pg_catalog.int8)) END
       || CASE WHEN f.indisunique AND f.indisready AND f.relkind = 'i' AND f.leftover IS NULL
		THEN ' It is unique, and may refuse rows although it is not valid.' ELSE '' END AS detail,
       CASE
	WHEN f.relkind = 'I' THEN
		'Create the index on each partition that lacks it (CREATE INDEX CONCURRENTLY), then ALTER'
			' INDEX ... ATTACH'
		' PARTITION each.'
	WHEN f.leftover IS NOT NULL THEN drop.up
	ELSE pg_catalog.format(E'REINDEX INDEX CONCURRENTLY %I.%I;\n-- or, where it is not wanted: %s',
		f.nspname, f.index_name, drop.up)
       END AS remedy,
       pg_catalog.format('invalid_index:%I.%I', f.nspname, f.index_name) AS ignore_key,
       f.bytes AS impact,
       pg_catalog.jsonb_build_object(
		'table', pg_catalog.format('%I.%I', f.nspname, f.relname),
		'unique', f.indisunique,
		'written', f.indisready,
		'leftover_of_reindex', f.leftover,
		'size_bytes', f.bytes::pg_catalog.int8
       ) AS evidence,
       CASE WHEN f.relkind = 'i' THEN 'drop_index' END AS change_kind,
       f.relname AS change_relation,
       f.index_name AS change_index,
       drop.up AS sql_up
FROM figure AS f
CROSS JOIN hidden AS h
CROSS JOIN LATERAL (
	SELECT pg_catalog.format(E'DROP INDEX CONCURRENTLY %I.%I;\n', f.nspname, f.index_name) AS up
) AS drop
WHERE h.builds = 0
UNION ALL
SELECT NULL, NULL, 'unknown',
       pg_catalog.format('%s invalid index(es), but another user is building one that we may not see',
		(SELECT pg_catalog.count(*) FROM figure)),
       pg_catalog.format('GRANT pg_read_all_stats TO %I;', CURRENT_USER),
       NULL, 0, NULL, NULL, NULL, NULL, NULL
FROM hidden AS h
WHERE h.builds > 0
AND EXISTS (SELECT FROM figure)
