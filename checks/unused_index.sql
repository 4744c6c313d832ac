-- id: unused_index
-- title: Index that no statement uses
-- family: indexes
-- severity: warning
-- versions: 13-
-- needs: primary
-- threshold: min_days 30 | statistics must be as old
-- threshold: min_bytes 1048576 | a smaller index is not reported
--
-- An index that is never scanned costs time with every write, room in the cache, and work for vacuum.
--
-- Reported are indexes without one scan since statistics began, if that is long enough ago to mean
-- something; otherwise the check says that it could not judge. A yearly report may still need one: look
-- before you drop. Left out are indexes that do more than to be read: of constraints, unique ones, the
-- replica identity, and the one that serves a foreign key. The index of a partitioned table counts as used
-- when one of its parts is. Statistics are those of this server: where it has standbys, look at them too.
--
-- Where the database's statistics were never reset, they are as old as the server's start, its last recovery
-- from a crash, which discards them, or the database itself, whichever is last; the age of the database is
-- known to superusers. With track_commit_timestamp, an index that is younger than that is left out.
WITH RECURSIVE
age AS MATERIALIZED (
	SELECT pg_catalog.date_part('epoch', pg_catalog.now() - COALESCE(
			pg_catalog.pg_stat_get_db_stat_reset_time(d.oid),
			GREATEST(pg_catalog.pg_postmaster_start_time(),
				pg_catalog.pg_stat_get_bgwriter_stat_reset_time(),
				-- as a text: permission is asked for where it is run
				CASE WHEN pg_catalog.has_function_privilege(
					'pg_catalog.pg_stat_file(text, boolean)', 'EXECUTE') THEN
				pg_catalog.to_timestamp(pg_catalog.substring(pg_catalog.query_to_xml(
					pg_catalog.format('SELECT pg_catalog.date_part(''epoch'','
						' (pg_catalog.pg_stat_file(''base/%s/PG_VERSION'', true))'
						'.modification) AS made', d.oid), false, false, '')
					::pg_catalog.text, '<made>([0-9.]+)<')::pg_catalog.float8) END)))
			/ 86400 AS days,
	       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication) AS standbys,
	       pg_catalog.current_setting('track_counts') AS counted
	FROM pg_catalog.pg_database AS d
	WHERE d.datname = pg_catalog.current_database()
),
idx AS MATERIALIZED (
	SELECT i.indexrelid, i.indrelid, i.indkey, i.indnkeyatts, i.indpred IS NOT NULL AS partial, n.nspname,
		t.relname,
	       ic.relname AS index_name, ic.relkind, ic.relispartition AS attached, am.amname, ic.relpages,
	       i.indisunique OR i.indisexclusion OR i.indisreplident OR i.indisprimary
	       OR EXISTS (SELECT FROM pg_catalog.pg_constraint AS c WHERE c.conindid = i.indexrelid) AS needed
	FROM pg_catalog.pg_index AS i
	JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
	JOIN pg_catalog.pg_am AS am ON am.oid = ic.relam
	JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
	WHERE i.indisvalid AND i.indisready AND i.indislive
	AND t.relpersistence <> 't'
	AND NOT (pg_catalog.current_setting('track_commit_timestamp') = 'on'
		AND COALESCE(pg_catalog.pg_xact_commit_timestamp(i.xmin)
			> pg_catalog.now() - :min_days::pg_catalog.float8
				* pg_catalog.make_interval(days => 1), false))
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_depend AS d
		WHERE d.classid = 1259 AND d.objid = i.indexrelid AND d.deptype = 'e')
),
part AS (
	SELECT i.indexrelid AS root, i.indexrelid
	FROM idx AS i
	WHERE NOT i.attached
	UNION ALL
	SELECT p.root, h.inhrelid
	FROM part AS p
	JOIN pg_catalog.pg_inherits AS h ON h.inhparent = p.indexrelid
),
total AS MATERIALIZED (
	SELECT p.root,
	       pg_catalog.sum(pg_catalog.pg_stat_get_numscans(p.indexrelid)) AS scans,
	       pg_catalog.sum(c.relpages) * pg_catalog.current_setting('block_size')::pg_catalog.float8
		AS bytes,
	       pg_catalog.sum(pg_catalog.pg_stat_get_tuples_inserted(x.indrelid)
			+ pg_catalog.pg_stat_get_tuples_updated(x.indrelid)
			- pg_catalog.pg_stat_get_tuples_hot_updated(x.indrelid))::pg_catalog.int8 AS writes
	FROM part AS p
	JOIN pg_catalog.pg_class AS c ON c.oid = p.indexrelid
	JOIN pg_catalog.pg_index AS x ON x.indexrelid = p.indexrelid
	GROUP BY p.root
),
-- Of the indexes that serve a foreign key, one must stay: the needed one, or the most used and narrowest.
serves_fk AS MATERIALIZED (
	SELECT DISTINCT ON (c.oid) i.indexrelid
	FROM pg_catalog.pg_constraint AS c
	JOIN idx AS i ON i.indrelid = c.conrelid
	WHERE c.contype = 'f'
	AND i.amname IN ('btree', 'hash')
	AND i.indnkeyatts >= pg_catalog.cardinality(c.conkey)
	AND (i.indkey::pg_catalog.int2[])[0:pg_catalog.cardinality(c.conkey) - 1] @> c.conkey
	AND c.conkey @> (i.indkey::pg_catalog.int2[])[0:pg_catalog.cardinality(c.conkey) - 1]
	ORDER BY c.oid, i.partial, i.needed DESC, pg_catalog.pg_stat_get_numscans(i.indexrelid) DESC,
		i.indnkeyatts,
		i.indexrelid
)
SELECT i.nspname AS schema,
       pg_catalog.format('%I.%I', i.nspname, i.index_name) AS object,
       CASE WHEN t.writes > 0 AND a.standbys = 0 THEN 'warning' ELSE 'info' END AS severity,
       pg_catalog.format('Not scanned once in %s days: %s on %I.%I, which took %s row writes in that time.',
		pg_catalog.floor(a.days), pg_catalog.pg_size_pretty(t.bytes::pg_catalog.int8), i.nspname,
			i.relname,
		pg_catalog.to_char(t.writes, 'FM999,999,999,999,990'))
       || CASE WHEN a.standbys > 0 THEN pg_catalog.format(
		' %s replication client(s) are connected: check idx_scan of pg_stat_user_indexes on each'
			' standby before you'
		' drop it.', a.standbys) ELSE '' END AS detail,
       drop.up AS remedy,
       pg_catalog.format('unused_index:%I.%I', i.nspname, i.index_name) AS ignore_key,
       t.bytes + t.writes AS impact,
       pg_catalog.jsonb_build_object(
		'table', pg_catalog.format('%I.%I', i.nspname, i.relname),
		'statistics_days', pg_catalog.round(a.days::pg_catalog.numeric, 1),
		'table_row_writes', t.writes,
		'replication_clients', a.standbys,
		'size_bytes', t.bytes::pg_catalog.int8,
		'size_from', 'relpages, of the last VACUUM or ANALYZE'
       ) AS evidence,
       CASE WHEN i.relkind = 'i' AND a.standbys = 0 THEN 'drop_index' END AS change_kind,
       i.relname AS change_relation,
       i.index_name AS change_index,
       drop.up AS sql_up
FROM idx AS i
JOIN total AS t ON t.root = i.indexrelid
CROSS JOIN age AS a
CROSS JOIN LATERAL (
	SELECT pg_catalog.format(E'DROP INDEX%s %I.%I;\n', CASE WHEN i.relkind = 'i' THEN ' CONCURRENTLY'
		ELSE '' END,
		i.nspname, i.index_name) AS up
) AS drop
WHERE t.scans = 0
AND NOT i.needed
AND NOT i.attached
AND t.bytes >= :min_bytes::pg_catalog.float8
AND a.days >= :min_days::pg_catalog.float8
AND a.counted = 'on'
AND NOT EXISTS (
	SELECT
	FROM serves_fk AS s
	JOIN part AS p ON p.indexrelid = s.indexrelid
	WHERE p.root = i.indexrelid)
UNION ALL
SELECT NULL, NULL, 'unknown',
       CASE WHEN a.counted <> 'on' THEN 'track_counts is off: nothing is counted'
       ELSE pg_catalog.format('statistics are only %s days old, fewer than the %s that it takes to tell',
		pg_catalog.round(a.days::pg_catalog.numeric, 1), :min_days::pg_catalog.float8) END,
       CASE WHEN a.counted <> 'on' THEN 'ALTER SYSTEM SET track_counts = on;'
       ELSE 'Run it again later, or set --threshold unused_index.min_days=N.' END,
       NULL, 0, NULL, NULL, NULL, NULL, NULL
FROM age AS a
WHERE a.days < :min_days::pg_catalog.float8 OR a.counted <> 'on'
