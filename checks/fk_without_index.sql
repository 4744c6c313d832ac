-- id: fk_without_index
-- title: Foreign key without an index
-- family: indexes
-- severity: warning
-- versions: 13-
-- threshold: small_rows 10000 | a referencing table with fewer rows is only worth an info
-- threshold: critical_rows 10000000 | critical where deleting one row reads as many rows or more
-- threshold: stats_days 30 | statistics must be as old before "never deleted from" counts
-- probe: enforced pg_constraint.conenforced ? c.conenforced : true
-- probe: period pg_constraint.conperiod ? c.conperiod : false
--
-- PostgreSQL indexes the referenced side of a foreign key, never the referencing one. Without an index
-- there, each row that is deleted from the referenced table (or whose key is updated) makes the server read
-- the whole referencing table, once for each row; the plan of the DELETE does not show it. Where deletes
-- cascade over several tables, the reads multiply. Joins from the referenced table are slow for the same
-- reason.
--
-- An index serves a foreign key when it is valid and ready, a B-tree (or, for one column, a hash index), its
-- first key columns are those of the foreign key in any order, with the collation that the foreign key
-- compares by, and it is not partial; for one column, WHERE column IS NOT NULL will do. So does an index that
-- leads with one of several columns, where the column that this one refers to is unique by itself. A
-- partitioned table is one finding: each of its partitions needs such an index. Foreign keys that are NOT
-- ENFORCED or temporal (PERIOD) are not judged.
--
-- The cost of a delete is what the planner would reckon for a sequential scan of the referencing table. Row
-- counts are the last ANALYZE's.
WITH RECURSIVE
fk AS MATERIALIZED (
	SELECT c.oid, c.conname, c.conrelid, c.confrelid, c.conkey, c.confkey, c.confdeltype, c.confupdtype,
	       n.nspname, r.relname, r.relkind
	FROM pg_catalog.pg_constraint AS c
	JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
	-- a catalog that was never analyzed: the planner would take what "=" finds for one row, and loop over
	-- the lists below
	WHERE CASE c.contype WHEN 'f' THEN c.conparentid = 0 ELSE false END
	AND :enforced
	AND NOT :period
	AND r.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	-- what an extension owns is not the user's to mend
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_depend AS d
		WHERE d.classid = 1259 AND d.objid = r.oid AND d.deptype = 'e')
),
-- the constraint on each partition has its own column numbers
member AS (
	SELECT fk.oid AS fk, fk.oid AS con, fk.conrelid, fk.conkey, fk.confrelid, fk.confkey
	FROM fk
	UNION ALL
	SELECT m.fk, c.oid, c.conrelid, c.conkey, c.confrelid, c.confkey
	FROM member AS m
	JOIN pg_catalog.pg_constraint AS c ON c.conparentid = m.con AND c.contype = 'f'
),
-- one for each table that holds rows; clones for partitions of the referenced table are the same to it
holder AS MATERIALIZED (
	SELECT DISTINCT ON (m.fk, m.conrelid) m.fk, m.conrelid, m.conkey, m.confrelid, m.confkey
	FROM member AS m
	JOIN pg_catalog.pg_class AS r ON r.oid = m.conrelid
	WHERE r.relkind = 'r'
	ORDER BY m.fk, m.conrelid, m.con
),
lacking AS MATERIALIZED (
	SELECT h.fk, h.conrelid
	FROM holder AS h
	WHERE NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_index AS i
		JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
		JOIN pg_catalog.pg_am AS am ON am.oid = ic.relam
		WHERE i.indrelid = h.conrelid
		AND i.indisvalid
		AND i.indisready
		AND i.indislive
		AND (am.amname = 'btree' OR (am.amname = 'hash' AND pg_catalog.cardinality(h.conkey) = 1))
		AND i.indnkeyatts >= pg_catalog.cardinality(h.conkey)
		AND (i.indkey::pg_catalog.int2[])[0:pg_catalog.cardinality(h.conkey) - 1] @> h.conkey
		AND h.conkey @> (i.indkey::pg_catalog.int2[])[0:pg_catalog.cardinality(h.conkey) - 1]
		AND (
			i.indpred IS NULL
			-- plain "column IS NOT NULL" as the parser stores it; pg_get_expr() would take a lock
			OR (
				pg_catalog.cardinality(h.conkey) = 1
				AND i.indpred::pg_catalog.text ~ (
					'^{NULLTEST :arg {VAR :varno 1 :varattno '
						|| h.conkey[1]::pg_catalog.text
					|| ' [^{}]*} :nulltesttype 1 :argisrow false[^{}]*}$')))
		AND NOT EXISTS (
			SELECT
			FROM pg_catalog.generate_subscripts(h.conkey, 1) AS k
			JOIN pg_catalog.pg_attribute AS pa ON pa.attrelid = h.confrelid
				AND pa.attnum = h.confkey[k]
			CROSS JOIN pg_catalog.generate_series(0, pg_catalog.cardinality(h.conkey) - 1) AS p
			WHERE i.indkey[p] = h.conkey[k] AND i.indcollation[p] <> pa.attcollation))
	-- (tenant, id) where id alone is the referenced table's key: an index that leads with id finds the
	-- same rows
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_index AS i
		JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
		JOIN pg_catalog.pg_am AS am ON am.oid = ic.relam
		JOIN pg_catalog.pg_index AS u ON u.indrelid = h.confrelid
		CROSS JOIN pg_catalog.generate_subscripts(h.conkey, 1) AS k
		JOIN pg_catalog.pg_attribute AS pa ON pa.attrelid = h.confrelid AND pa.attnum = h.confkey[k]
		WHERE pg_catalog.cardinality(h.conkey) > 1
		AND i.indrelid = h.conrelid
		AND i.indisvalid
		AND i.indisready
		AND i.indislive
		AND i.indpred IS NULL
		AND am.amname = 'btree'
		AND i.indkey[0] = h.conkey[k]
		AND i.indcollation[0] = pa.attcollation
		AND u.indisunique
		AND u.indisvalid
		AND u.indpred IS NULL
		AND u.indnkeyatts = 1
		AND u.indkey[0] = h.confkey[k])
),
bad AS MATERIALIZED (
	SELECT fk.*, l.missing, h.holders
	FROM fk
	JOIN (SELECT fk, pg_catalog.count(*) AS missing FROM lacking GROUP BY fk) AS l ON l.fk = fk.oid
	JOIN (SELECT fk, pg_catalog.count(*) AS holders FROM holder GROUP BY fk) AS h ON h.fk = fk.oid
),
-- who else a delete comes from: tables whose deletes cascade to the referenced one
ancestor AS (
	SELECT b.oid AS fk, b.confrelid AS relid, 1 AS depth
	FROM bad AS b
	UNION
	SELECT a.fk, up.confrelid, a.depth + 1
	FROM ancestor AS a
	JOIN fk AS up ON up.conrelid = a.relid AND up.confdeltype = 'c' AND up.confrelid <> up.conrelid
	WHERE a.depth < 16
),
tree AS (
	SELECT s.relid AS root, s.relid
	FROM (SELECT conrelid AS relid FROM bad UNION SELECT relid FROM ancestor) AS s
	UNION ALL
	SELECT t.root, i.inhrelid
	FROM tree AS t
	JOIN pg_catalog.pg_class AS p ON p.oid = t.relid AND p.relkind = 'p'
	JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.relid
),
size AS MATERIALIZED (
	SELECT t.root AS relid,
	       COALESCE(pg_catalog.sum(n.rows), 0)::pg_catalog.float8 AS rows,
	       -- as the planner scales the pages it knows; never analyzed, 100 bytes a row will do
	       COALESCE(pg_catalog.sum(CASE
			WHEN c.relpages > 0 THEN c.relpages * GREATEST(n.rows / GREATEST(c.reltuples, 1), 1)
			ELSE pg_catalog.ceil(n.rows * 100 / b.bytes) END), 0)::pg_catalog.float8 AS pages,
	       pg_catalog.bool_or(n.rows > c.reltuples) AS guessed,
	       COALESCE(pg_catalog.sum(pg_catalog.pg_stat_get_tuples_deleted(c.oid)), 0)::pg_catalog.int8
		AS deleted,
	       COALESCE(pg_catalog.sum(GREATEST(pg_catalog.pg_stat_get_tuples_updated(c.oid)
				- pg_catalog.pg_stat_get_tuples_hot_updated(c.oid), 0)), 0)::pg_catalog.int8
			AS updated
	FROM tree AS t
	LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.relid AND c.relkind = 'r'
	CROSS JOIN LATERAL (
		-- The counters tell of growth since the last ANALYZE, but may count rows twice that were
		-- loaded and analyzed in one go: they count where they say three times as many or more.
		SELECT CASE WHEN live.rows >= 3 * c.reltuples THEN live.rows ELSE c.reltuples END AS rows
		FROM (SELECT pg_catalog.pg_stat_get_live_tuples(c.oid)::pg_catalog.float8 AS rows) AS live
	) AS n
	CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes) AS b
	GROUP BY t.root
),
-- the ancestor from which most deletes of the referenced table's rows come with one delete of its own
worst AS (
	SELECT DISTINCT ON (a.fk) a.fk, a.relid, a.depth,
	       GREATEST(ps.rows / GREATEST(s.rows, 1), 1) AS scans
	FROM ancestor AS a
	JOIN bad AS b ON b.oid = a.fk
	JOIN size AS ps ON ps.relid = b.confrelid
	JOIN size AS s ON s.relid = a.relid
	WHERE a.relid = b.confrelid OR a.depth > 1
	ORDER BY a.fk, CASE WHEN a.relid = b.confrelid THEN 1 ELSE GREATEST(ps.rows / GREATEST(s.rows, 1),
		1) END DESC,
		a.depth
),
deepest AS (
	SELECT a.fk, pg_catalog.max(a.depth) AS depth
	FROM (SELECT fk, relid, pg_catalog.min(depth) AS depth FROM ancestor GROUP BY fk, relid) AS a
	GROUP BY a.fk
),
setting AS (
	SELECT pg_catalog.current_setting('seq_page_cost')::pg_catalog.float8 AS page,
	       pg_catalog.current_setting('cpu_tuple_cost')::pg_catalog.float8
	       + pg_catalog.current_setting('cpu_operator_cost')::pg_catalog.float8 AS tuple,
	       pg_catalog.current_setting('block_size')::pg_catalog.float8 AS block_bytes,
	       pg_catalog.date_part('epoch', pg_catalog.now() - COALESCE(
			pg_catalog.pg_stat_get_db_stat_reset_time(d.oid),
				pg_catalog.pg_postmaster_start_time()))
			/ 86400 AS stats_days,
	       pg_catalog.pg_is_in_recovery() AS standby
	FROM pg_catalog.pg_database AS d
	WHERE d.datname = pg_catalog.current_database()
),
figure AS (
	SELECT b.*, pn.nspname AS parent_schema, p.relname AS parent_name,
	       wn.nspname AS worst_schema, wr.relname AS worst_name, w.depth AS worst_depth, w.scans,
	       cs.rows, cs.pages, cs.guessed, ps.rows AS parent_rows, ps.deleted, ps.updated, dp.depth,
	       s.block_bytes, s.stats_days, s.standby,
	       cs.pages * s.page + cs.rows * s.tuple AS scan_cost,
	       NOT s.standby AND s.stats_days >= :stats_days::pg_catalog.float8 AND ps.deleted = 0
		AS never_deleted,
	       key.list, key.quoted, key.joined
	FROM bad AS b
	JOIN pg_catalog.pg_class AS p ON p.oid = b.confrelid
	JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
	-- each has its row; LEFT, because the planner would take the result of several joins for a few rows,
	-- and loop over them
	LEFT JOIN size AS cs ON cs.relid = b.conrelid
	LEFT JOIN size AS ps ON ps.relid = b.confrelid
	LEFT JOIN worst AS w ON w.fk = b.oid
	LEFT JOIN pg_catalog.pg_class AS wr ON wr.oid = w.relid
	LEFT JOIN pg_catalog.pg_namespace AS wn ON wn.oid = wr.relnamespace
	LEFT JOIN deepest AS dp ON dp.fk = b.oid
	CROSS JOIN setting AS s
	CROSS JOIN LATERAL (
		SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.position) AS list,
		       pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY k.position)
			AS quoted,
		       pg_catalog.string_agg(a.attname, '_' ORDER BY k.position) AS joined
		FROM pg_catalog.unnest(b.conkey) WITH ORDINALITY AS k (attnum, position)
		JOIN pg_catalog.pg_attribute AS a ON a.attrelid = b.conrelid AND a.attnum = k.attnum
	) AS key
),
-- What to create. None of the partitions has one: an index on the partitioned table too, to which those of
-- its partitions are attached. Some have: only the others get one.
target AS (
	SELECT f.oid AS fk, t.relid, t.parent, t.level, c.relkind, n.nspname, c.relname,
	       CASE
		WHEN pg_catalog.octet_length(plain.base) <= 59 AND NOT EXISTS (
			SELECT
			FROM pg_catalog.pg_class AS same
			WHERE same.relnamespace = c.relnamespace AND same.relname = plain.base || '_idx')
		AND pg_catalog.min(plain.key) OVER (PARTITION BY c.relnamespace, plain.base) = plain.key
		THEN plain.base || '_idx'
		-- the cast to name cuts at 63 bytes, between characters: 13 of them are the padding
		ELSE pg_catalog.substr((pg_catalog.repeat('-', 13)
			|| plain.base)::pg_catalog.name::pg_catalog.text, 14)
		     || '_' || pg_catalog.left(pg_catalog.md5(plain.key), 8) || '_idx'
	       END AS index_name,
	       f.quoted
	FROM figure AS f
	CROSS JOIN LATERAL (
		WITH RECURSIVE below AS (
			SELECT f.conrelid AS relid, 0::pg_catalog.oid AS parent, 0 AS level
			UNION ALL
			SELECT i.inhrelid, i.inhparent, b.level + 1
			FROM below AS b
			JOIN pg_catalog.pg_class AS p ON p.oid = b.relid AND p.relkind = 'p'
			JOIN pg_catalog.pg_inherits AS i ON i.inhparent = b.relid
		)
		SELECT * FROM below
	) AS t
	JOIN pg_catalog.pg_class AS c ON c.oid = t.relid AND c.relkind IN ('r', 'p')
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	CROSS JOIN LATERAL (
		SELECT c.relname || '_' || f.joined AS base,
		       pg_catalog.format('%I.%I (%s)', n.nspname, c.relname, f.quoted) AS key
	) AS plain
	WHERE f.missing = f.holders
	OR EXISTS (SELECT FROM lacking AS l WHERE l.fk = f.oid AND l.conrelid = t.relid)
),
mend AS (
	SELECT t.fk,
	       pg_catalog.string_agg(
			CASE WHEN t.relkind = 'p'
			THEN pg_catalog.format(E'CREATE INDEX %I ON ONLY %I.%I (%s);\n',
				t.index_name, t.nspname, t.relname, t.quoted)
			ELSE pg_catalog.format(E'CREATE INDEX CONCURRENTLY %I ON %I.%I (%s);\n',
				t.index_name, t.nspname, t.relname, t.quoted)
			END, '' ORDER BY t.level, t.nspname, t.relname)
	       || COALESCE(pg_catalog.string_agg(
			pg_catalog.format(E'ALTER INDEX %I.%I ATTACH PARTITION %I.%I;\n',
				p.nspname, p.index_name, t.nspname, t.index_name), ''
			ORDER BY t.level DESC, t.nspname, t.relname) FILTER (WHERE p.relid IS NOT NULL), '')
				AS up,
	       CASE WHEN pg_catalog.bool_or(t.relkind = 'p')
	       THEN pg_catalog.string_agg(pg_catalog.format(E'DROP INDEX %I.%I;\n', t.nspname, t.index_name),
		'')
			FILTER (WHERE t.level = 0)
	       ELSE pg_catalog.string_agg(
			pg_catalog.format(E'DROP INDEX CONCURRENTLY %I.%I;\n', t.nspname, t.index_name), ''
			ORDER BY t.nspname, t.relname)
	       END AS down,
	       (pg_catalog.array_agg(t.index_name ORDER BY t.level, t.nspname, t.relname))[1] AS index_name
	FROM target AS t
	LEFT JOIN target AS p ON p.fk = t.fk AND p.relid = t.parent
	GROUP BY t.fk
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.relname) AS object,
       CASE
	WHEN f.rows < :small_rows::pg_catalog.float8 OR f.never_deleted THEN 'info'
	WHEN f.scans * f.rows >= :critical_rows::pg_catalog.float8
	     AND (f.confdeltype IN ('c', 'n', 'd') OR f.deleted > 0) THEN 'critical'
	ELSE 'warning'
       END AS severity,
       pg_catalog.format('No index leads with (%s), which the foreign key %I (to %I.%I, ON DELETE %s)'
	' compares',
		f.quoted, f.conname, f.parent_schema, f.parent_name, act.delete_action)
       || CASE WHEN f.relkind = 'p'
		THEN pg_catalog.format('; %s of %s partitions lack one', f.missing, f.holders) ELSE '' END
       || CASE WHEN f.rows > 0
		THEN pg_catalog.format('. Each row deleted from %I.%I reads this whole table: about %s rows,'
			' %s.',
			f.parent_schema, f.parent_name, num.rows, num.bytes)
		ELSE '. The table is empty, or was never analyzed.' END
       || CASE WHEN f.worst_depth > 1 AND f.rows > 0
		THEN pg_catalog.format(' Deleting one row of %I.%I cascades to about %s such rows, and so'
			' reads %s rows.',
			f.worst_schema, f.worst_name, num.scans, num.total)
		ELSE '' END
       || CASE
		WHEN f.never_deleted THEN pg_catalog.format(' No row was deleted there in the %s days of'
			' statistics.',
			pg_catalog.floor(f.stats_days))
		WHEN f.deleted > 0 THEN pg_catalog.format(' %s rows were deleted there since statistics'
			' began.', num.deleted)
		ELSE '' END AS detail,
       mend.up AS remedy,
       pg_catalog.format('fk_without_index:%I.%I:%I', f.nspname, f.relname, f.conname) AS ignore_key,
       f.scans * f.scan_cost * GREATEST(f.deleted, 1) AS impact,
       pg_catalog.jsonb_build_object(
		'constraint', f.conname,
		'columns', f.list,
		'references', pg_catalog.format('%I.%I', f.parent_schema, f.parent_name),
		'on_delete', act.delete_action,
		'on_update', act.update_action,
		'rows', pg_catalog.round(f.rows),
		'size_bytes', pg_catalog.round(f.pages * f.block_bytes),
		'rows_from', CASE WHEN f.guessed THEN 'statistics counters: more than at the last ANALYZE'
			ELSE 'the last ANALYZE or VACUUM' END,
		'referenced_rows', pg_catalog.round(f.parent_rows),
		'referenced_rows_deleted', f.deleted,
		'referenced_rows_updated_not_hot', f.updated,
		'statistics_days', pg_catalog.round(f.stats_days::pg_catalog.numeric, 1),
		'cascade_depth', f.depth,
		'delete_starts_at', pg_catalog.format('%I.%I', f.worst_schema, f.worst_name),
		'scans_for_one_delete', pg_catalog.round(f.scans),
		'cost_of_one_scan', pg_catalog.round(f.scan_cost::pg_catalog.numeric, 1),
		'cost_of_one_delete', pg_catalog.round((f.scans * f.scan_cost)::pg_catalog.numeric, 1),
		'cost_is', 'pages * seq_page_cost + rows * (cpu_tuple_cost + cpu_operator_cost), for each'
			' scan'
       ) AS evidence,
       'create_index' AS change_kind,
       f.relname AS change_relation,
       mend.index_name AS change_index,
       mend.up AS sql_up,
       mend.down AS sql_down,
       -- 16 bytes for each key of one small column, 8 more for each further one, pages 90 % full
       pg_catalog.round(f.rows * (8 + 8 * pg_catalog.cardinality(f.conkey)) / 0.9) AS size_bytes
FROM figure AS f
JOIN mend ON mend.fk = f.oid
CROSS JOIN LATERAL (
	SELECT (ARRAY['NO ACTION', 'RESTRICT', 'CASCADE', 'SET NULL', 'SET DEFAULT'])[
			pg_catalog.strpos('arcnd', f.confdeltype::pg_catalog.text)] AS delete_action,
	       (ARRAY['NO ACTION', 'RESTRICT', 'CASCADE', 'SET NULL', 'SET DEFAULT'])[
			pg_catalog.strpos('arcnd', f.confupdtype::pg_catalog.text)] AS update_action
) AS act
CROSS JOIN LATERAL (
	SELECT pg_catalog.to_char(f.rows, 'FM999,999,999,999,990') AS rows,
	       pg_catalog.pg_size_pretty((f.pages * f.block_bytes)::pg_catalog.int8) AS bytes,
	       pg_catalog.to_char(f.scans, 'FM999,999,999,999,990') AS scans,
	       pg_catalog.to_char(f.scans * f.rows, 'FM999,999,999,999,990') AS total,
	       pg_catalog.to_char(f.deleted, 'FM999,999,999,999,990') AS deleted
) AS num;
