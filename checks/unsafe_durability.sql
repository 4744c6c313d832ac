-- id: unsafe_durability
-- title: A crash can destroy data
-- family: cluster
-- severity: critical
-- versions: 13-
--
-- Settings with which a crash of the machine leaves a database that is damaged beyond repair, or with which
-- damage is passed over: fsync and full_page_writes off, zero_damaged_pages and ignore_checksum_failure on.
--
-- full_page_writes may be off on a file system that never writes half a page (ZFS, for one): ignore it there.
SELECT NULL AS schema,
       s.name AS object,
       NULL AS severity,
       CASE s.name
       WHEN 'fsync' THEN 'fsync is off: after a crash of the machine, or a power failure, the data'
	' directory is'
		' lost.'
       WHEN 'full_page_writes' THEN 'full_page_writes is off: after a crash a page that was written by'
	' half cannot'
		' be restored.'
       WHEN 'zero_damaged_pages' THEN 'zero_damaged_pages is on: a damaged page is emptied without an'
	' error, and its'
		' rows are gone.'
       ELSE 'ignore_checksum_failure is on: damaged pages are read as if they were sound.' END AS detail,
       pg_catalog.format(E'ALTER SYSTEM SET %I = %s;\nSELECT pg_reload_conf();', s.name,
		CASE WHEN s.reset_val = 'on' THEN 'off' ELSE 'on' END) AS remedy,
       'unsafe_durability:' || s.name AS ignore_key,
       CASE s.name WHEN 'fsync' THEN 2 ELSE 1 END AS impact,
       pg_catalog.jsonb_build_object('setting', s.reset_val, 'source', s.source) AS evidence
FROM pg_catalog.pg_settings AS s
WHERE (s.name, s.reset_val) IN (('fsync', 'off'), ('full_page_writes', 'off'), ('zero_damaged_pages', 'on'),
	('ignore_checksum_failure', 'on'))
