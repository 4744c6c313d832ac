-- id: fillfactor_for_hot
-- title: Updates find no room on their page
-- family: tables
-- severity: info
-- versions: 13-
-- needs: primary
-- threshold: min_updates 100000 | fewer updates tell nothing
-- threshold: min_newpage_share 0.2 | of the updates so many had to go to another page (16 and newer)
-- threshold: max_hot_share 0.3 | before 16: at most so many updates were HOT
-- probe: newpage pg_stat_all_tables.n_tup_newpage_upd ? pg_catalog.pg_stat_get_tuples_newpage_updated(c.oid) : NULL::pg_catalog.int8
--
-- An update that finds room on the page of the old row, and changes no column of an index, is HOT: it writes
-- no index at all. With fillfactor 100 pages are filled to the last byte, so that the first update of each
-- row goes to another page and writes every index.
--
-- Since PostgreSQL 16 the server counts updates that had to go to another page. Before, all that is known is
-- that updates were not HOT, which an index on an updated column causes too: then it is only a guess. A lower
-- fillfactor holds for pages that are written from now on.
WITH
tab AS (
	SELECT c.oid AS relid, n.nspname, c.relname,
	       pg_catalog.pg_stat_get_tuples_updated(c.oid)::pg_catalog.float8 AS updates,
	       pg_catalog.pg_stat_get_tuples_hot_updated(c.oid)::pg_catalog.float8 AS hot,
	       (:newpage)::pg_catalog.float8 AS newpage,
	       pg_catalog.pg_stat_get_live_tuples(c.oid) AS live,
	       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid) AS indexes
	FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	WHERE c.relkind = 'r'
	AND c.relpersistence <> 't'
	AND n.nspname !~ '^pg_'
	AND n.nspname NOT IN ('information_schema', 'pgmend')
	AND pg_catalog.pg_stat_get_tuples_updated(c.oid) >= :min_updates::pg_catalog.float8
	AND NOT EXISTS (
		SELECT
		FROM pg_catalog.unnest(c.reloptions) AS o
		WHERE o LIKE 'fillfactor=%' AND o <> 'fillfactor=100')
),
figure AS (
	SELECT t.*
	FROM tab AS t
	WHERE t.indexes > 0
	-- a lower fillfactor does not help where an index would be written anyway: those that stayed on their
	-- page
	-- and were not HOT
	AND CASE WHEN t.newpage IS NOT NULL
	    THEN t.newpage >= :min_newpage_share::pg_catalog.float8 * t.updates
		AND t.updates - t.hot - t.newpage < t.hot + t.newpage
	    ELSE t.hot <= :max_hot_share::pg_catalog.float8 * t.updates END
)
SELECT f.nspname AS schema,
       pg_catalog.format('%I.%I', f.nspname, f.relname) AS object,
       'info' AS severity,
       pg_catalog.format('Of %s updates only %s %% were HOT',
		pg_catalog.to_char(f.updates, 'FM999,999,999,999,990'),
		pg_catalog.round((100 * f.hot / f.updates)::pg_catalog.numeric))
       || CASE WHEN f.newpage IS NULL
	THEN ', with fillfactor 100: pages may be full, or an updated column is in an index.'
	ELSE pg_catalog.format('; %s %% found no room on the page of the old row, and wrote each of %s'
		' indexes.',
		pg_catalog.round((100 * f.newpage / f.updates)::pg_catalog.numeric), f.indexes) END AS detail,
       alter_table.up AS remedy,
       pg_catalog.format('fillfactor_for_hot:%I.%I', f.nspname, f.relname) AS ignore_key,
       (f.updates - f.hot) * f.indexes AS impact,
       pg_catalog.jsonb_build_object(
		'updates', f.updates,
		'hot_updates', f.hot,
		'updates_to_another_page', f.newpage,
		'indexes', f.indexes,
		'rows', f.live
       ) AS evidence,
       CASE WHEN f.newpage IS NOT NULL THEN 'sql' END AS change_kind,
       f.relname AS change_relation,
       'SHARE UPDATE EXCLUSIVE' AS change_lock,
       alter_table.up AS sql_up,
       pg_catalog.format(E'ALTER TABLE %I.%I RESET (fillfactor);\n', f.nspname, f.relname) AS sql_down
FROM figure AS f
CROSS JOIN LATERAL (
	SELECT pg_catalog.format(E'ALTER TABLE %I.%I SET (fillfactor = 90);\n', f.nspname, f.relname) AS up
) AS alter_table
