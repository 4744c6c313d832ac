-- id: duplicate_index
-- title: Duplicate index
-- family: indexes
-- severity: warning
-- versions: 13-
-- probe: nulls_not_distinct pg_index.indnullsnotdistinct ? i.indnullsnotdistinct : false
--
-- Two indexes that hold the same keys in the same order serve the same statements: one of them is written,
-- vacuumed and cached for nothing.
--
-- Indexes are the same when table, access method, key columns or expressions, operator classes, collations,
-- predicate and the set of INCLUDE columns are; a B-tree whose directions are all reversed is the same too,
-- because it is read backwards. Indexes that differ in collation, in one direction or in one operator class
-- are not. What is to be dropped never backs a constraint, is no replica identity, is the target of no
-- foreign key, and is unique only where the other enforces the same. Indexes of partitions that belong to
-- the index of their partitioned table are judged there.
WITH
idx AS MATERIALIZED (
	SELECT i.indexrelid, i.indrelid, n.nspname, t.relname, ic.relname AS index_name, ic.relkind, ic.relam,
	       i.indnkeyatts AS nkeys,
	       (i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1] AS keys,
	       CASE WHEN i.indnatts = i.indnkeyatts THEN '{}'
	       ELSE ARRAY(
			SELECT DISTINCT included
			FROM pg_catalog.unnest((i.indkey::pg_catalog.int2[])[i.indnkeyatts:]) AS included
			ORDER BY included)
	       END AS includes,
	       (i.indclass::pg_catalog.oid[])[0:i.indnkeyatts - 1] AS classes,
	       (i.indcollation::pg_catalog.oid[])[0:i.indnkeyatts - 1] AS collations,
	       o.options,
	       -- a B-tree is read in both directions: of the two ways to write one, take the smaller
	       -- (bits 1 and 2: DESC and NULLS FIRST)
	       CASE WHEN i.indoption[0] & 2 = 0 THEN o.options
	       ELSE ARRAY(
			SELECT (u.bits # 3)::pg_catalog.int2
			FROM pg_catalog.unnest(o.options) WITH ORDINALITY AS u (bits, position)
			ORDER BY u.position)
	       END AS directions,
	       -- as stored, without the places in the source text; pg_get_expr() would take a lock
	       COALESCE(pg_catalog.regexp_replace(i.indexprs::pg_catalog.text, ' :location -?\d+', '', 'g'),
		'')
			AS expressions,
	       COALESCE(pg_catalog.regexp_replace(i.indpred::pg_catalog.text, ' :location -?\d+', '', 'g'),
		'')
			AS predicate,
	       i.indisunique, i.indisprimary, i.indimmediate, :nulls_not_distinct AS nulls_not_distinct,
	       -- a fillfactor makes no other B-tree; elsewhere storage options may change what an index does
	       CASE WHEN am.amname IN ('btree', 'hash') THEN ''
	       ELSE COALESCE(ic.reloptions::pg_catalog.text, '') || COALESCE((
			SELECT pg_catalog.string_agg(a.attoptions::pg_catalog.text, ' ' ORDER BY a.attnum)
			FROM pg_catalog.pg_attribute AS a
			WHERE a.attrelid = i.indexrelid), '')
	       END AS storage,
	       i.indisprimary OR i.indisexclusion OR i.indisreplident OR ic.relispartition
	       OR EXISTS (SELECT FROM pg_catalog.pg_constraint AS c WHERE c.conindid = i.indexrelid)
		AS needed,
	       i.indisclustered, ic.relpages
	FROM pg_catalog.pg_index AS i
	JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
	JOIN pg_catalog.pg_am AS am ON am.oid = ic.relam
	JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
	-- Most have no other that begins as they do. LEFT, and COALESCE below, because the planner must not take
	-- what is left for a few rows, which it would compare each with each.
	LEFT JOIN (
		SELECT s.indrelid, s.indkey[0] AS first_key, pg_catalog.count(*) AS same
		FROM pg_catalog.pg_index AS s
		GROUP BY s.indrelid, s.indkey[0]
	) AS start ON start.indrelid = i.indrelid AND start.first_key = i.indkey[0]
	CROSS JOIN LATERAL (
		SELECT (i.indoption::pg_catalog.int2[])[0:i.indnkeyatts - 1] AS options
	) AS o
	WHERE COALESCE(start.same, 0) > 1
	AND i.indisvalid AND i.indisready AND i.indislive
	AND t.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_depend AS d
		WHERE d.classid = 1259 AND d.objid = i.indexrelid AND d.deptype = 'e')
),
pair AS (
	SELECT DISTINCT ON (a.indexrelid) a.*, b.indexrelid AS kept_oid, b.index_name AS kept_name,
	       b.needed AS kept_needed, b.options <> a.options AS reversed
	FROM idx AS a
	JOIN idx AS b ON b.indrelid = a.indrelid AND b.keys = a.keys AND b.relam = a.relam
	WHERE b.indexrelid <> a.indexrelid
	AND NOT a.needed
	AND b.includes = a.includes
	AND b.classes = a.classes
	AND b.collations = a.collations
	AND b.expressions = a.expressions
	AND b.predicate = a.predicate
	AND b.storage = a.storage
	AND b.directions = a.directions
	AND (
		NOT a.indisunique
		OR (b.indisunique AND b.indimmediate AND b.nulls_not_distinct = a.nulls_not_distinct))
	-- of two that could go either way, the better one stays: needed, unique, clustered, older
	AND (b.needed, b.indisunique, b.indisclustered, -b.indexrelid::pg_catalog.int8)
	    > (a.needed, a.indisunique, a.indisclustered, -a.indexrelid::pg_catalog.int8)
	ORDER BY a.indexrelid, b.needed DESC, b.indisunique DESC, b.indisclustered DESC, b.indexrelid
),
size AS (
	SELECT p.*, COALESCE(part.pages, p.relpages)
			* pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes
	FROM pair AS p
	CROSS JOIN LATERAL (
		WITH RECURSIVE below AS (
			SELECT h.inhrelid FROM pg_catalog.pg_inherits AS h WHERE h.inhparent = p.indexrelid
			UNION ALL
			SELECT h.inhrelid
			FROM below AS b
			JOIN pg_catalog.pg_inherits AS h ON h.inhparent = b.inhrelid
		)
		SELECT pg_catalog.sum(c.relpages) AS pages
		FROM below AS b
		JOIN pg_catalog.pg_class AS c ON c.oid = b.inhrelid
	) AS part
)
SELECT p.nspname AS schema,
       pg_catalog.format('%I.%I', p.nspname, p.index_name) AS object,
       NULL AS severity,
       pg_catalog.format('It is the same as %I on %I.%I%s: %s that every write to the table also writes.',
		p.kept_name, p.nspname, p.relname,
		CASE WHEN p.reversed THEN ', read backwards' ELSE '' END,
		CASE WHEN p.bytes > 0 THEN pg_catalog.pg_size_pretty(p.bytes::pg_catalog.int8)
			ELSE 'an index' END)
       || CASE WHEN p.kept_needed THEN pg_catalog.format(' %I must stay: a constraint, the replica identity'
	' or a partitioned index needs it.',
		p.kept_name) ELSE '' END AS detail,
       drop.up AS remedy,
       pg_catalog.format('duplicate_index:%I.%I', p.nspname, p.index_name) AS ignore_key,
       p.bytes AS impact,
       pg_catalog.jsonb_build_object(
		'table', pg_catalog.format('%I.%I', p.nspname, p.relname),
		'same_as', pg_catalog.format('%I.%I', p.nspname, p.kept_name),
		'reversed', p.reversed,
		'scans', pg_catalog.pg_stat_get_numscans(p.indexrelid),
		'scans_of_the_other', pg_catalog.pg_stat_get_numscans(p.kept_oid),
		'size_bytes', p.bytes::pg_catalog.int8,
		'size_from', 'relpages, of the last VACUUM or ANALYZE'
       ) AS evidence,
       -- the index of a partitioned table cannot be dropped concurrently
       CASE WHEN p.relkind = 'i' THEN 'drop_index' END AS change_kind,
       p.relname AS change_relation,
       p.index_name AS change_index,
       drop.up AS sql_up
FROM size AS p
CROSS JOIN LATERAL (
	SELECT pg_catalog.format(E'DROP INDEX%s %I.%I;\n', CASE WHEN p.relkind = 'i' THEN ' CONCURRENTLY'
		ELSE '' END,
		p.nspname, p.index_name) AS up
) AS drop
