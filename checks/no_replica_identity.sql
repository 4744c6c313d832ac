-- id: no_replica_identity
-- title: Published table without a replica identity
-- family: tables
-- severity: warning
-- versions: 13-
-- needs: primary
-- threshold: full_rows 10000 | a smaller table with REPLICA IDENTITY FULL is not reported
-- probe: in_schema pg_publication_namespace.pnnspid ? (SELECT x.pnpubid, x.pnnspid FROM pg_catalog.pg_publication_namespace AS x) : (SELECT NULL::pg_catalog.oid, NULL::pg_catalog.oid WHERE false)
--
-- Logical replication sends updates and deletes with what identifies the row: the primary key, or the
-- index or the whole row that REPLICA IDENTITY names. A published table with none of them refuses every
-- UPDATE and DELETE with an error, from the moment that it is published.
--
-- With REPLICA IDENTITY FULL the whole old row is written to the WAL, and a subscriber that has no index
-- of its own to find it by reads its table for each row. Only publications of updates or deletes are
-- looked at, and which of the two they publish.
--
-- A logical slot with another plugin than pgoutput (wal2json, decoderbufs...) reads all tables of its
-- database, without a publication. There nothing fails, but updates and deletes of such a table arrive
-- without what they were of. Where there is neither a publication nor such a slot, nothing is reported.
WITH RECURSIVE
publication AS MATERIALIZED (
	SELECT p.oid, p.pubname, p.puballtables, p.pubupdate, p.pubdelete
	FROM pg_catalog.pg_publication AS p
	WHERE p.pubupdate OR p.pubdelete
),
slot AS MATERIALIZED (
	SELECT s.plugin = 'pgoutput' AS publishes,
	       pg_catalog.string_agg(pg_catalog.format('%I (%s%s)', s.slot_name,
			CASE WHEN s.plugin = 'pgoutput' THEN '' ELSE s.plugin || ', ' END,
			CASE WHEN s.active THEN 'active' ELSE 'inactive' END), ', ' ORDER BY s.slot_name) AS names
	FROM pg_catalog.pg_replication_slots AS s
	WHERE s.slot_type = 'logical'
	AND s.database = pg_catalog.current_database()
	AND NOT s.temporary
	GROUP BY 1
),
named AS (
	SELECT r.prrelid AS relid, p.oid AS publication
	FROM pg_catalog.pg_publication_rel AS r
	JOIN publication AS p ON p.oid = r.prpubid
	UNION
	SELECT c.oid, p.oid
	FROM publication AS p
	JOIN pg_catalog.pg_class AS c ON c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
	WHERE p.puballtables
	UNION
	SELECT c.oid, p.oid
	FROM publication AS p
	JOIN :in_schema AS s (publication, schema) ON s.publication = p.oid
	JOIN pg_catalog.pg_class AS c ON c.relnamespace = s.schema AND c.relkind IN ('r', 'p')
		AND c.relpersistence = 'p'
),
published AS (
	SELECT n.relid, n.publication
	FROM named AS n
	UNION
	SELECT i.inhrelid, p.publication
	FROM published AS p
	JOIN pg_catalog.pg_class AS c ON c.oid = p.relid AND c.relkind = 'p'
	JOIN pg_catalog.pg_inherits AS i ON i.inhparent = p.relid
),
target AS (
	SELECT p.relid, pg_catalog.bool_or(b.pubupdate) AS updates, pg_catalog.bool_or(b.pubdelete) AS deletes,
	       pg_catalog.string_agg(pg_catalog.quote_ident(b.pubname), ', ' ORDER BY b.pubname) AS publications
	FROM published AS p
	JOIN publication AS b ON b.oid = p.publication
	GROUP BY p.relid
),
tab AS (
	SELECT c.oid AS relid, n.nspname, c.relname, c.relreplident, p.updates, p.deletes, p.publications,
	       GREATEST(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::pg_catalog.float8 AS rows,
	       pg_catalog.pg_stat_get_tuples_updated(c.oid) + pg_catalog.pg_stat_get_tuples_deleted(c.oid)
			AS writes,
	       CASE c.relreplident
		WHEN 'f' THEN true
		WHEN 'd' THEN EXISTS (
			SELECT
			FROM pg_catalog.pg_index AS i
			WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate)
		WHEN 'i' THEN EXISTS (
			SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisreplident
				AND i.indisvalid)
		ELSE false END AS identified
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	LEFT JOIN target AS p ON p.relid = c.oid
	WHERE c.relkind = 'r'
	AND c.relpersistence = 'p'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND (p.relid IS NOT NULL OR EXISTS (SELECT FROM slot AS s WHERE NOT s.publishes))
),
figure AS (
	SELECT t.*, u.index_name, publishing.names AS subscribers, decoding.names AS decoders
	FROM tab AS t
	LEFT JOIN LATERAL (
		SELECT ic.relname AS index_name
		FROM pg_catalog.pg_index AS i
		JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
		WHERE i.indrelid = t.relid
		AND i.indisunique AND i.indisvalid AND i.indisready AND i.indimmediate
		AND i.indpred IS NULL AND i.indexprs IS NULL
		AND NOT EXISTS (
			SELECT
			FROM pg_catalog.pg_attribute AS a
			WHERE a.attrelid = t.relid AND NOT a.attnotnull
			AND a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1]))
		ORDER BY i.indisprimary DESC, i.indnkeyatts, ic.relname
		LIMIT 1
	) AS u ON true
	LEFT JOIN slot AS publishing ON publishing.publishes
	LEFT JOIN slot AS decoding ON NOT decoding.publishes
	-- of what a slot alone reads, a table that is only inserted into loses nothing
	WHERE (NOT t.identified AND (t.publications IS NOT NULL OR t.writes > 0))
	OR (t.relreplident = 'f' AND t.rows >= :full_rows::pg_catalog.float8 AND t.writes > 0)
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.relname) AS object,
       CASE WHEN f.identified THEN 'info' ELSE 'warning' END AS severity,
       CASE WHEN f.identified THEN pg_catalog.format('REPLICA IDENTITY FULL on about %s rows: %s updates and'
	' deletes so far wrote the whole old row to the WAL.', pg_catalog.to_char(f.rows,
		'FM999,999,999,999,990'), f.writes)
       WHEN f.publications IS NOT NULL THEN pg_catalog.format('Nothing identifies its rows: every %s of it'
	' fails.', CASE WHEN f.updates AND f.deletes THEN 'UPDATE and DELETE' WHEN f.updates THEN 'UPDATE'
		ELSE 'DELETE' END)
       ELSE pg_catalog.format('Nothing identifies its rows: %s updates and deletes so far were decoded'
		' without what they were of.', f.writes) END
       || CASE WHEN f.publications IS NULL THEN ''
       ELSE pg_catalog.format(' Published in %s; %s.', f.publications,
		COALESCE('slots of subscribers: ' || f.subscribers, 'no subscriber has a slot')) END
       || COALESCE(pg_catalog.format(' Read by slot %s.', f.decoders), '') AS detail,
       COALESCE(alter_table.up, 'ALTER TABLE ... ADD PRIMARY KEY, or where that cannot be, REPLICA IDENTITY'
		' FULL.')
		AS remedy,
       pg_catalog.format('no_replica_identity:%I.%I', f.nspname, f.relname) AS ignore_key,
       f.rows AS impact,
       pg_catalog.jsonb_build_object(
		'publications', f.publications,
		'updates_published', f.updates,
		'deletes_published', f.deletes,
		'slots_of_subscribers', f.subscribers,
		'slots_of_other_plugins', f.decoders,
		'replica_identity', f.relreplident,
		'rows', pg_catalog.round(f.rows),
		'rows_updated_or_deleted', f.writes,
		'unique_index', f.index_name
       ) AS evidence
FROM figure AS f
CROSS JOIN LATERAL (
	SELECT CASE WHEN f.index_name IS NOT NULL THEN pg_catalog.format(
		E'ALTER TABLE %I.%I REPLICA IDENTITY USING INDEX %I;\n', f.nspname, f.relname, f.index_name)
			END AS up
) AS alter_table
