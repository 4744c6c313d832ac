-- id: overlapping_index
-- title: Index that another one contains
-- family: indexes
-- severity: warning
-- versions: 13-
-- threshold: small_bytes 10485760 | a smaller index is only worth an info
-- threshold: wide_ratio 4 | so many times larger, the other index is slower to read, and the finding an info
-- probe: nulls_not_distinct pg_index.indnullsnotdistinct ? i.indnullsnotdistinct : false
--
-- A B-tree on (a) does nothing that one on (a, b) cannot do: it is written, vacuumed and cached for little.
-- It is still the faster of the two to read where the other is much wider.
--
-- One index contains another when both are B-trees of the same table with the same predicate, the keys of
-- the shorter are the first keys of the longer with the same operator classes and collations and the same
-- directions (or all of them reversed), and the INCLUDE columns of the shorter are columns of the longer.
-- What is to be dropped never backs a constraint, is no replica identity, is the target of no foreign key,
-- and is unique only where the other enforces the same on the same keys. Indexes that are wholly the same
-- are those of duplicate_index.
WITH
idx AS MATERIALIZED (
	SELECT i.indexrelid, i.indrelid, n.nspname, t.relname, ic.relname AS index_name, ic.relkind,
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
	       i.indisprimary OR i.indisexclusion OR i.indisreplident OR ic.relispartition
	       OR EXISTS (SELECT FROM pg_catalog.pg_constraint AS c WHERE c.conindid = i.indexrelid)
		AS needed,
	       i.indisclustered, ic.relpages, i.indkey[0] AS first_key
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
	AND am.amname = 'btree'
	AND i.indisvalid AND i.indisready AND i.indislive
	AND t.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.pg_depend AS d
		WHERE d.classid = 1259 AND d.objid = i.indexrelid AND d.deptype = 'e')
),
match AS (
	SELECT a.*, b.index_name AS kept_name, b.indexrelid AS kept_oid, b.relkind AS kept_relkind,
	       b.relpages AS kept_relpages, b.nkeys AS kept_nkeys,
	       pg_catalog.cardinality(b.includes) AS kept_includes,
	       b.options[1:a.nkeys] <> a.options AS reversed,
	       b.nkeys = a.nkeys AND b.includes = a.includes AS same
	FROM idx AS a
	JOIN idx AS b ON b.indrelid = a.indrelid AND b.first_key = a.first_key AND b.predicate = a.predicate
	WHERE b.indexrelid <> a.indexrelid
	AND NOT a.needed
	AND b.nkeys >= a.nkeys
	AND b.keys[1:a.nkeys] = a.keys
	AND b.classes[1:a.nkeys] = a.classes
	AND b.collations[1:a.nkeys] = a.collations
	AND b.directions[1:a.nkeys] = a.directions
	AND (b.keys || b.includes) @> a.includes
	-- the expressions of a are the first of b's: a list of {...} in (...)
	AND (
		a.expressions = ''
		OR b.expressions = a.expressions
		OR pg_catalog.starts_with(b.expressions,
			pg_catalog.left(a.expressions, pg_catalog.length(a.expressions) - 1) || ' '))
	AND (
		NOT a.indisunique
		OR (b.nkeys = a.nkeys AND b.indisunique AND b.indimmediate
		    AND b.nulls_not_distinct = a.nulls_not_distinct))
	-- of two that are the same, duplicate_index wants the worse one dropped
	AND (
		b.nkeys > a.nkeys
		OR b.includes <> a.includes
		OR (b.needed, b.indisunique, b.indisclustered, -b.indexrelid::pg_catalog.int8)
		    > (a.needed, a.indisunique, a.indisclustered, -a.indexrelid::pg_catalog.int8))
),
-- A window, not NOT EXISTS: the planner takes the matches for one row, and would compare each with each.
pair AS (
	SELECT DISTINCT ON (m.indexrelid) m.*
	FROM (
		SELECT m.*, pg_catalog.bool_or(m.same) OVER (PARTITION BY m.indexrelid) AS duplicate
		FROM match AS m
	) AS m
	WHERE NOT m.duplicate
	ORDER BY m.indexrelid, m.kept_nkeys DESC, m.kept_includes DESC, m.kept_oid
),
size AS (
	SELECT p.*, own.pages * b.bytes AS bytes, kept.pages * b.bytes AS kept_bytes
	FROM pair AS p
	CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::pg_catalog.float8 AS bytes) AS b
	CROSS JOIN LATERAL (
		SELECT CASE WHEN p.relkind = 'i' THEN p.relpages ELSE (
			WITH RECURSIVE below AS (
				SELECT p.indexrelid
				UNION ALL
				SELECT h.inhrelid
				FROM below AS b
				JOIN pg_catalog.pg_inherits AS h ON h.inhparent = b.indexrelid
			)
			SELECT pg_catalog.sum(c.relpages)
			FROM below AS b
			JOIN pg_catalog.pg_class AS c ON c.oid = b.indexrelid
		) END AS pages
	) AS own
	CROSS JOIN LATERAL (
		SELECT CASE WHEN p.kept_relkind = 'i' THEN p.kept_relpages ELSE (
			WITH RECURSIVE below AS (
				SELECT p.kept_oid AS indexrelid
				UNION ALL
				SELECT h.inhrelid
				FROM below AS b
				JOIN pg_catalog.pg_inherits AS h ON h.inhparent = b.indexrelid
			)
			SELECT pg_catalog.sum(c.relpages)
			FROM below AS b
			JOIN pg_catalog.pg_class AS c ON c.oid = b.indexrelid
		) END AS pages
	) AS kept
)
SELECT p.nspname AS schema,
       pg_catalog.format('%I.%I', p.nspname, p.index_name) AS object,
       CASE
	WHEN p.bytes < :small_bytes::pg_catalog.float8
	     OR p.kept_bytes > :wide_ratio::pg_catalog.float8 * GREATEST(p.bytes, 1) THEN 'info'
	ELSE 'warning'
       END AS severity,
       pg_catalog.format('%I on %I.%I begins with the same keys%s and serves what this one serves: %s that'
	' every write'
		' to the table also writes.',
		p.kept_name, p.nspname, p.relname,
		CASE WHEN p.reversed THEN ', read backwards,' ELSE '' END,
		CASE WHEN p.bytes > 0 THEN pg_catalog.pg_size_pretty(p.bytes::pg_catalog.int8)
			ELSE 'an index' END)
       || CASE WHEN p.kept_bytes > :wide_ratio::pg_catalog.float8 * GREATEST(p.bytes, 1)
		THEN pg_catalog.format(' The other is much larger (%s): keep this one where it is read'
			' often.',
			pg_catalog.pg_size_pretty(p.kept_bytes::pg_catalog.int8)) ELSE '' END AS detail,
       drop.up AS remedy,
       pg_catalog.format('overlapping_index:%I.%I', p.nspname, p.index_name) AS ignore_key,
       p.bytes AS impact,
       pg_catalog.jsonb_build_object(
		'table', pg_catalog.format('%I.%I', p.nspname, p.relname),
		'contained_in', pg_catalog.format('%I.%I', p.nspname, p.kept_name),
		'reversed', p.reversed,
		'scans', pg_catalog.pg_stat_get_numscans(p.indexrelid),
		'scans_of_the_other', pg_catalog.pg_stat_get_numscans(p.kept_oid),
		'size_bytes', p.bytes::pg_catalog.int8,
		'size_bytes_of_the_other', p.kept_bytes::pg_catalog.int8,
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
