-- id: statements_evicted
-- title: pg_stat_statements has forgotten statements
-- family: statements
-- severity: info
-- versions: 14-
-- needs: extension pg_stat_statements
-- needs: column pg_stat_statements_info.dealloc
-- threshold: min_evictions 10 | fewer tell nothing
-- threshold: min_per_day 24 | at least so many evictions a day
-- threshold: warn_per_day 1440 | a warning from so many a day on
--
-- When pg_stat_statements is full it forgets those twentieth of its statements that ran least. Where that
-- happens often, what is rare but slow is never seen, and each eviction holds up statements. Texts that
-- differ by the number of values in an IN list, or by names of temporary tables, are the usual cause.
WITH
seen AS (
	SELECT i.dealloc::pg_catalog.float8 AS evictions,
	       -- within the first hour an average says little
	       GREATEST(pg_catalog.date_part('epoch', pg_catalog.now() - i.stats_reset), 3600) / 86400
		AS days,
	       pg_catalog.current_setting('pg_stat_statements.max', true) AS max
	FROM :pg_stat_statements_schema.pg_stat_statements_info AS i
)
SELECT NULL AS schema,
       'pg_stat_statements' AS object,
       CASE WHEN s.evictions / s.days >= :warn_per_day::pg_catalog.float8 THEN 'warning' ELSE 'info' END
	AS severity,
       pg_catalog.format('It was full %s times in %s days (%s a day) and forgot the rarest statements'
	' each time:'
		' it keeps %s.',
		pg_catalog.to_char(s.evictions, 'FM999,999,999,999,990'),
		pg_catalog.round(s.days::pg_catalog.numeric, 1),
		pg_catalog.round((s.evictions / s.days)::pg_catalog.numeric), s.max) AS detail,
       pg_catalog.format('Send lists as one array (= ANY ($1)) rather than IN ($1, $2...); or, with a'
	' restart:'
		' ALTER SYSTEM SET pg_stat_statements.max = %s;', s.max::pg_catalog.int8 * 2) AS remedy,
       'statements_evicted:server' AS ignore_key,
       s.evictions / s.days AS impact,
       pg_catalog.jsonb_build_object(
		'evictions', s.evictions,
		'days', pg_catalog.round(s.days::pg_catalog.numeric, 2),
		'max', s.max::pg_catalog.int8
       ) AS evidence
FROM seen AS s
WHERE s.evictions >= GREATEST(:min_evictions::pg_catalog.float8, 1)
AND s.evictions / s.days >= :min_per_day::pg_catalog.float8
