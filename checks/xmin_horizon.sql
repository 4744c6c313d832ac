-- id: xmin_horizon
-- title: Old snapshot that keeps dead rows
-- family: wraparound
-- severity: warning
-- versions: 13-
-- threshold: min_transactions 1000000 | transactions that it must be behind
-- threshold: critical_transactions 200000000 | critical from so many on
-- threshold: top 5 | at most so many are reported, the oldest first
--
-- VACUUM removes no row that some snapshot may still see, in any table. One transaction left open for a day,
-- a replication slot that nobody reads, a prepared transaction that was forgotten, or a standby's long query
-- with hot_standby_feedback keeps the dead rows of the whole server, and freezing stops with it. Then
-- autovacuum runs again and again and removes nothing.
WITH
holder AS (
	SELECT 'session' AS kind, pg_catalog.format('session %s', a.pid) AS object,
	       pg_catalog.format('session:%s:%s', a.usename, a.application_name) AS key,
	       GREATEST(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid)) AS age,
	       pg_catalog.format('A session of %s (%s, application %L) has been in state %s since %s',
			a.usename,
			COALESCE(a.datname::pg_catalog.text, 'no database'), a.application_name,
			COALESCE(a.state, a.backend_type), COALESCE(a.xact_start, a.backend_start)) AS what,
	       pg_catalog.format('SELECT pg_terminate_backend(%s);', a.pid) AS remedy
	FROM pg_catalog.pg_stat_activity AS a
	WHERE a.pid <> pg_catalog.pg_backend_pid()
	AND a.backend_type NOT IN ('walsender', 'autovacuum worker')
	-- a vacuum's own snapshot holds nothing back
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum AS p WHERE p.pid = a.pid)
	UNION ALL
	SELECT 'slot', pg_catalog.format('replication slot %I', s.slot_name),
	       pg_catalog.format('slot:%I', s.slot_name),
	       GREATEST(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin)),
	       pg_catalog.format('The %s slot %I, %s, keeps %s', s.slot_type, s.slot_name,
			CASE WHEN s.active THEN 'which is read' ELSE 'which nobody reads' END,
			CASE WHEN s.xmin IS NULL THEN 'rows of system catalogs' ELSE 'rows' END),
	       pg_catalog.format('%sSELECT pg_drop_replication_slot(%L);',
			CASE WHEN s.active THEN E'-- its reader must catch up, or be stopped for good; then\n'
			ELSE E'-- where its reader is gone for good\n' END, s.slot_name)
	FROM pg_catalog.pg_replication_slots AS s
	UNION ALL
	SELECT 'prepared', pg_catalog.format('prepared transaction %L', p.gid),
		pg_catalog.format('prepared:%s', p.gid),
	       pg_catalog.age(p.transaction),
	       pg_catalog.format('A transaction of %s in %I was prepared at %s and neither committed nor'
			' rolled back', p.owner,
			p.database, p.prepared),
	       pg_catalog.format(E'-- in the database %I, after asking its transaction manager\nROLLBACK'
			' PREPARED %L;',
			p.database, p.gid)
	FROM pg_catalog.pg_prepared_xacts AS p
	UNION ALL
	SELECT 'standby', pg_catalog.format('standby %s', r.application_name),
	       pg_catalog.format('standby:%s', r.application_name), pg_catalog.age(r.backend_xmin),
	       pg_catalog.format('A query on the standby %s (%s), which sends hot_standby_feedback, is'
			' running',
			r.application_name, r.client_addr),
	       'End the long query on the standby, or limit it there (statement_timeout,'
			' transaction_timeout).'
	FROM pg_catalog.pg_stat_replication AS r
)
SELECT NULL AS schema,
       h.object,
       CASE WHEN h.age >= :critical_transactions::pg_catalog.float8 THEN 'critical' ELSE 'warning' END
		AS severity,
       pg_catalog.format('%s: no row that was deleted in the last %s transactions can be removed.', h.what,
		pg_catalog.to_char(h.age, 'FM999,999,999,990')) AS detail,
       h.remedy,
       'xmin_horizon:' || h.key AS ignore_key,
       h.age AS impact,
       pg_catalog.jsonb_build_object('holder', h.kind, 'transactions', h.age) AS evidence
FROM (
	SELECT holder.*
	FROM holder
	WHERE holder.age >= :min_transactions::pg_catalog.float8
	ORDER BY holder.age DESC, holder.object
	LIMIT :top::pg_catalog.int8
) AS h
UNION ALL
SELECT NULL, NULL, 'unknown', 'the sessions of other users are hidden',
       pg_catalog.format('GRANT pg_read_all_stats TO %I;', CURRENT_USER), NULL, 0, NULL
WHERE NOT pg_catalog.pg_has_role(CURRENT_USER, 'pg_read_all_stats', 'USAGE')
