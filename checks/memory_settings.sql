-- id: memory_settings
-- title: Memory setting that does not suit
-- family: cluster
-- severity: info
-- versions: 13-
-- threshold: memory_mb 0 | the server's memory in MB; 0: that of this machine, where the server runs on it
-- threshold: min_database_bytes 1073741824 | a smaller database needs no more memory than the defaults
--
-- shared_buffers, effective_cache_size, work_mem and maintenance_work_mem against the memory of the machine,
-- or of the control group that the server runs in.
--
-- That memory is known only where pgmend is connected over a Unix socket and the server's processes are this
-- machine's; give --threshold memory_settings.memory_mb=N otherwise. Rules of thumb, not more: too small is
-- told only of databases of some size.
WITH
setting AS MATERIALIZED (
	SELECT pg_catalog.current_setting('block_size')::pg_catalog.float8 AS block_bytes,
	       pg_catalog.max(s.reset_val::pg_catalog.float8) FILTER (WHERE s.name = 'shared_buffers')
		AS buffers,
	       pg_catalog.max(s.reset_val::pg_catalog.float8)
		FILTER (WHERE s.name = 'effective_cache_size') AS cache_blocks,
	       -- of the server: our own session has another work_mem
	       pg_catalog.max(s.reset_val::pg_catalog.float8 * 1024) FILTER (WHERE s.name = 'work_mem')
		AS work,
	       pg_catalog.max(s.reset_val::pg_catalog.float8 * 1024)
		FILTER (WHERE s.name = 'maintenance_work_mem')
			AS maintenance,
	       pg_catalog.max(s.reset_val::pg_catalog.float8 * 1024)
		FILTER (WHERE s.name = 'autovacuum_work_mem')
			AS autovacuum,
	       pg_catalog.max(s.reset_val::pg_catalog.float8) FILTER (WHERE s.name = 'autovacuum_max_workers')
			AS workers,
	       pg_catalog.max(s.reset_val::pg_catalog.float8) FILTER (WHERE s.name = 'max_connections')
		AS connections
	FROM pg_catalog.pg_settings AS s
	WHERE s.name IN ('shared_buffers', 'effective_cache_size', 'work_mem', 'maintenance_work_mem',
		'autovacuum_work_mem', 'autovacuum_max_workers', 'max_connections')
),
known AS MATERIALIZED (
	SELECT CASE WHEN :memory_mb::pg_catalog.float8 > 0 THEN :memory_mb::pg_catalog.float8 * 1048576
	       ELSE :host_memory_bytes END AS memory,
	       s.buffers * s.block_bytes AS shared,
	       s.cache_blocks * s.block_bytes AS cache,
	       s.work, s.connections, s.maintenance,
	       CASE WHEN s.autovacuum < 0 THEN s.maintenance ELSE s.autovacuum END * s.workers AS vacuum,
	       (SELECT pg_catalog.sum(c.relpages::pg_catalog.float8) FROM pg_catalog.pg_class AS c)
		* s.block_bytes
			AS data
	FROM setting AS s
),
found AS (
	SELECT 'shared_buffers' AS name, 'warning' AS severity,
	       pg_catalog.format('is %s of %s: too little is left for sorts, sessions and the system''s'
		' cache',
			pg_catalog.pg_size_pretty(k.shared::pg_catalog.int8),
			pg_catalog.pg_size_pretty(k.memory::pg_catalog.int8)) AS wrong,
	       k.memory / 4 AS suited
	FROM known AS k
	WHERE k.shared > k.memory * 0.6
	UNION ALL
	SELECT 'shared_buffers', 'info',
	       pg_catalog.format('is %s of %s, and this database has %s',
			pg_catalog.pg_size_pretty(k.shared::pg_catalog.int8),
			pg_catalog.pg_size_pretty(k.memory::pg_catalog.int8),
			pg_catalog.pg_size_pretty(k.data::pg_catalog.int8)),
	       k.memory / 4
	FROM known AS k
	WHERE k.shared < k.memory * 0.1
	AND k.shared < k.data / 2
	AND k.data >= :min_database_bytes::pg_catalog.float8
	UNION ALL
	SELECT 'shared_buffers', 'info',
	       pg_catalog.format('is %s, the default, and this database has %s',
			pg_catalog.pg_size_pretty(k.shared::pg_catalog.int8),
			pg_catalog.pg_size_pretty(k.data::pg_catalog.int8)),
	       NULL
	FROM known AS k
	WHERE k.memory IS NULL
	AND k.shared <= 134217728
	AND k.data >= :min_database_bytes::pg_catalog.float8
	UNION ALL
	SELECT 'effective_cache_size', 'info',
	       pg_catalog.format('is %s, more than the memory of %s: the planner takes for cached what'
		' cannot be',
			pg_catalog.pg_size_pretty(k.cache::pg_catalog.int8),
			pg_catalog.pg_size_pretty(k.memory::pg_catalog.int8)),
	       k.memory * 0.7
	FROM known AS k
	WHERE k.cache > k.memory
	UNION ALL
	SELECT 'effective_cache_size', 'info',
	       pg_catalog.format('is %s, less than shared_buffers (%s) alone: the planner shuns indexes',
			pg_catalog.pg_size_pretty(k.cache::pg_catalog.int8),
			pg_catalog.pg_size_pretty(k.shared::pg_catalog.int8)),
	       COALESCE(k.memory * 0.7, k.shared * 3)
	FROM known AS k
	WHERE k.cache < k.shared
	UNION ALL
	SELECT 'work_mem', 'info',
	       pg_catalog.format('is %s: one sort in each of %s sessions would take more than the %s that'
			' shared_buffers leaves',
			pg_catalog.pg_size_pretty(k.work::pg_catalog.int8), k.connections,
			pg_catalog.pg_size_pretty((k.memory - k.shared)::pg_catalog.int8)),
	       GREATEST((k.memory - k.shared) / k.connections / 2, 1048576)
	FROM known AS k
	WHERE k.work * k.connections > k.memory - k.shared
	AND k.work > 1048576
	AND k.memory > k.shared
	UNION ALL
	SELECT 'maintenance_work_mem', 'info',
	       pg_catalog.format('lets autovacuum''s workers take %s of %s',
			pg_catalog.pg_size_pretty(k.vacuum::pg_catalog.int8),
			pg_catalog.pg_size_pretty(k.memory::pg_catalog.int8)),
	       k.memory / 20
	FROM known AS k
	WHERE k.vacuum > k.memory / 4
	UNION ALL
	SELECT 'maintenance_work_mem', 'info',
	       pg_catalog.format('is %s, the default: index builds and vacuum of large tables go in more'
		' passes'
			' than %s of memory make them',
				pg_catalog.pg_size_pretty(k.maintenance::pg_catalog.int8),
			pg_catalog.pg_size_pretty(k.memory::pg_catalog.int8)),
	       LEAST(k.memory / 20, 1073741824)
	FROM known AS k
	WHERE k.maintenance <= 67108864
	AND k.memory >= 8589934592
	AND k.data >= 10 * :min_database_bytes::pg_catalog.float8
)
SELECT NULL AS schema,
       f.name AS object,
       f.severity,
       pg_catalog.format('%s %s.', f.name, f.wrong) AS detail,
       CASE WHEN f.suited IS NULL THEN 'A quarter of the machine''s memory is where to begin; it takes a'
	' restart.'
       ELSE pg_catalog.format(E'-- where to begin%s:\nALTER SYSTEM SET %I = ''%sMB'';',
		CASE f.name WHEN 'shared_buffers' THEN ', with a restart'
			ELSE '; then SELECT pg_reload_conf()' END,
		f.name, pg_catalog.round((f.suited / 1048576)::pg_catalog.numeric)) END AS remedy,
       pg_catalog.format('memory_settings:%s', f.name) AS ignore_key,
       k.data AS impact,
       pg_catalog.jsonb_build_object(
		'memory_bytes', k.memory,
		'shared_buffers_bytes', k.shared,
		'effective_cache_size_bytes', k.cache,
		'work_mem_bytes', k.work,
		'max_connections', k.connections,
		'database_bytes', k.data,
		'memory_from', CASE WHEN :memory_mb::pg_catalog.float8 > 0 THEN 'threshold'
			ELSE 'this machine or its control group' END
       ) AS evidence
FROM found AS f
CROSS JOIN known AS k
UNION ALL
SELECT NULL, NULL, 'unknown', 'the memory of the server''s machine is not known',
       'Run it on that machine over its Unix socket, or give --threshold memory_settings.memory_mb=N.',
       NULL, 0, NULL
FROM known AS k
WHERE k.memory IS NULL
