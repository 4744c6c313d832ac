-- Who reads and writes blocks, by kind of process; kinds that did nothing are left out.
SELECT i.backend_type,
	coalesce(pg_catalog.sum(i.reads), 0) AS pgmend_io_reads_total,
	coalesce(pg_catalog.sum(i.writes), 0) AS pgmend_io_writes_total,
	coalesce(pg_catalog.sum(i.extends), 0) AS pgmend_io_extends_total,
	coalesce(pg_catalog.sum(i.hits), 0) AS pgmend_io_hits_total,
	coalesce(pg_catalog.sum(i.evictions), 0) AS pgmend_io_evictions_total,
	coalesce(pg_catalog.sum(i.fsyncs), 0) AS pgmend_io_fsyncs_total
FROM pg_catalog.pg_stat_io AS i
WHERE i.object <> 'wal'
GROUP BY i.backend_type
HAVING coalesce(pg_catalog.sum(i.reads), 0) + coalesce(pg_catalog.sum(i.writes), 0)
	+ coalesce(pg_catalog.sum(i.extends), 0) + coalesce(pg_catalog.sum(i.hits), 0) > 0
ORDER BY i.backend_type
