-- id: wal_volume
-- title: Most of the WAL is whole pages
-- family: cluster
-- severity: info
-- versions: 14-
-- needs: primary
-- threshold: min_hour_bytes 1073741824 | so much WAL an hour, on average
-- threshold: min_share 0.5 | at least this share of it is pages written as a whole
--
-- After each checkpoint the first change to a block writes the block as a whole to the WAL. Where that is
-- most of the WAL, and it is not compressed, wal_compression and checkpoints that are further apart spare
-- disk, archive and standbys the rest.
--
-- pg_stat_wal counts pages, not their bytes: a page without its hole counts as a whole here, so that the
-- share is an upper bound.
WITH
seen AS (
	SELECT w.wal_bytes::pg_catalog.float8 AS bytes,
	       LEAST(w.wal_fpi::pg_catalog.float8
		* pg_catalog.current_setting('block_size')::pg_catalog.float8,
			w.wal_bytes::pg_catalog.float8) AS page_bytes,
	       w.wal_fpi AS pages,
	       GREATEST(pg_catalog.date_part('epoch', pg_catalog.now() - COALESCE(w.stats_reset,
			pg_catalog.pg_postmaster_start_time())) / 3600, 1) AS hours,
	       pg_catalog.current_setting('wal_compression') AS compression
	FROM pg_catalog.pg_stat_get_wal() AS w
)
SELECT NULL AS schema,
       'server' AS object,
       NULL AS severity,
       pg_catalog.format('%s of WAL an hour in %s hours, of which up to %s %% are %s pages written as a'
	' whole;'
		' wal_compression is off.',
		pg_catalog.pg_size_pretty((s.bytes / s.hours)::pg_catalog.int8),
		pg_catalog.round(s.hours::pg_catalog.numeric, 1),
		pg_catalog.round((s.page_bytes / s.bytes * 100)::pg_catalog.numeric),
		pg_catalog.to_char(s.pages, 'FM999,999,999,999,990')) AS detail,
       E'ALTER SYSTEM SET wal_compression = on;\nSELECT pg_reload_conf();' AS remedy,
       'wal_volume:server' AS ignore_key,
       s.page_bytes / s.hours AS impact,
       pg_catalog.jsonb_build_object(
		'bytes', s.bytes,
		'full_pages', s.pages,
		'bytes_per_hour', pg_catalog.round((s.bytes / s.hours)::pg_catalog.numeric),
		'share_of_pages_at_most', pg_catalog.round((s.page_bytes / s.bytes)::pg_catalog.numeric, 3),
		'hours', pg_catalog.round(s.hours::pg_catalog.numeric, 2)
       ) AS evidence
FROM seen AS s
WHERE s.compression = 'off'
AND s.bytes > 0
AND s.bytes / s.hours >= :min_hour_bytes::pg_catalog.float8
AND s.page_bytes / s.bytes >= :min_share::pg_catalog.float8
