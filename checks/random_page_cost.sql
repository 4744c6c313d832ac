-- id: random_page_cost
-- title: random_page_cost of a disk that seeks
-- family: cluster
-- severity: info
-- versions: 13-
-- threshold: seeks -1 | 1: the disks seek; 0: they do not (SSD); -1: as this machine says
-- threshold: max_cost 3 | at most so much where they do not seek
--
-- random_page_cost is 4 by default: what a disk with heads needs for a block elsewhere, with much of it
-- cached. On solid-state disks it makes the planner prefer sequential scans where an index would be faster.
--
-- Known only where pgmend is connected over a Unix socket and may see data_directory. Disks of virtual
-- machines often say that they seek where they do not.
WITH
known AS (
	SELECT CASE WHEN :seeks::pg_catalog.float8 >= 0 THEN :seeks::pg_catalog.float8::pg_catalog.int4
	       ELSE :host_seeks END AS seeks,
	       pg_catalog.current_setting('random_page_cost')::pg_catalog.float8 AS cost
)
SELECT NULL AS schema,
       'random_page_cost' AS object,
       NULL AS severity,
       pg_catalog.format('random_page_cost is %s, and the disk of the data directory does not seek.',
	k.cost) AS detail,
       E'ALTER SYSTEM SET random_page_cost = 1.1;\nSELECT pg_reload_conf();' AS remedy,
       'random_page_cost:server' AS ignore_key,
       k.cost AS impact,
       pg_catalog.jsonb_build_object('random_page_cost', k.cost, 'seeks', k.seeks) AS evidence
FROM known AS k
WHERE k.seeks = 0
AND k.cost > :max_cost::pg_catalog.float8
UNION ALL
SELECT NULL, NULL, 'unknown', 'whether the server''s disk seeks is not known',
       'Run it on that machine over its Unix socket as a user with pg_monitor, or give'
	' --threshold random_page_cost.seeks=0 (or 1).', NULL, 0, NULL
FROM known AS k
WHERE k.seeks IS NULL
AND k.cost > :max_cost::pg_catalog.float8
