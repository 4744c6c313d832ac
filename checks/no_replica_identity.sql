-- id: no_replica_identity
-- title: Published table without a replica identity
-- family: tables
-- severity: warning
-- versions: 13-
-- needs: primary
-- threshold: full_rows 10000 | a smaller table with REPLICA IDENTITY FULL is not reported
-- probe: in_schema pg_publication_namespace.pnnspid ? (SELECT x.pnpubid, x.pnnspid FROM pg_catalog.pg_publication_namespace AS x) : (SELECT NULL::pg_catalog.oid, NULL::pg_catalog.oid WHERE false)
--
-- Logical replication sends updates and deletes with what identifies the row: the primary key, or the index
-- or the whole row that REPLICA IDENTITY names. A published table with none of them refuses every UPDATE and
-- DELETE with an error, from the moment that it is published.
--
-- With REPLICA IDENTITY FULL the whole old row is written to the WAL, and a subscriber that has no index of
-- its own to find it by reads its table for each row. Only publications of updates or deletes are looked at;
-- where there is none, nothing is reported.
WITH RECURSIVE
publication AS MATERIALIZED (
	SELECT p.oid, p.pubname, p.puballtables
	FROM pg_catalog.pg_publication AS p
	WHERE p.pubupdate OR p.pubdelete
),
named AS (
	SELECT r.prrelid AS relid, p.pubname
	FROM pg_catalog.pg_publication_rel AS r
	JOIN publication AS p ON p.oid = r.prpubid
	UNION
	SELECT c.oid, p.pubname
	FROM publication AS p
	JOIN pg_catalog.pg_class AS c ON c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
	WHERE p.puballtables
	UNION
	SELECT c.oid, p.pubname
	FROM publication AS p
	JOIN :in_schema AS s (publication, schema) ON s.publication = p.oid
	JOIN pg_catalog.pg_class AS c ON c.relnamespace = s.schema AND c.relkind IN ('r', 'p')
		AND c.relpersistence = 'p'
),
published AS (
	SELECT n.relid, n.pubname
	FROM named AS n
	UNION
	SELECT i.inhrelid, p.pubname
	FROM published AS p
	JOIN pg_catalog.pg_class AS c ON c.oid = p.relid AND c.relkind = 'p'
	JOIN pg_catalog.pg_inherits AS i ON i.inhparent = p.relid
),
tab AS (
	SELECT c.oid AS relid, n.nspname, c.relname, c.relreplident,
	       GREATEST(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::pg_catalog.float8 AS rows,
	       pg_catalog.pg_stat_get_tuples_updated(c.oid) + pg_catalog.pg_stat_get_tuples_deleted(c.oid)
			AS writes,
	       pg_catalog.min(p.pubname::pg_catalog.text) AS publication,
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
	FROM published AS p
	JOIN pg_catalog.pg_class AS c ON c.oid = p.relid AND c.relkind = 'r'
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	WHERE n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	GROUP BY c.oid, n.nspname, c.relname, c.relreplident, c.reltuples
),
figure AS (
	SELECT t.*, u.index_name
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
	WHERE NOT t.identified
	OR (t.relreplident = 'f' AND t.rows >= :full_rows::pg_catalog.float8 AND t.writes > 0)
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.relname) AS object,
       CASE WHEN f.identified THEN 'info' ELSE 'warning' END AS severity,
       CASE WHEN f.identified THEN pg_catalog.format('REPLICA IDENTITY FULL on about %s rows, published in'
		' %I: %s'
		' updates and deletes so far wrote the whole old row to the WAL.',
		pg_catalog.to_char(f.rows, 'FM999,999,999,999,990'), f.publication, f.writes)
       ELSE pg_catalog.format('It is published in %I, but nothing identifies its rows: every UPDATE and'
		' DELETE of'
		' it fails.', f.publication) END AS detail,
       COALESCE(alter_table.up, 'ALTER TABLE ... ADD PRIMARY KEY, or where that cannot be, REPLICA IDENTITY'
		' FULL.')
		AS remedy,
       pg_catalog.format('no_replica_identity:%I.%I', f.nspname, f.relname) AS ignore_key,
       f.rows AS impact,
       pg_catalog.jsonb_build_object(
		'publication', f.publication,
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
