-- id: replication_lag
-- title: Standby that lags behind
-- family: cluster
-- severity: warning
-- versions: 13-
-- threshold: warn_seconds 10 | a standby replays so long after the primary...
-- threshold: critical_seconds 60 | ...critical from so long on
-- threshold: warn_bytes 1073741824 | or it lacks so much WAL...
-- threshold: critical_bytes 10737418240 | ...critical from so much on
--
-- On a primary: its standbys and logical subscribers that are behind. Reads from them are old, and after a
-- failover what they lack is lost. On a standby: whether it replays what it has received, whether replay is
-- paused, and whether it receives anything at all.
--
-- On a standby age is told only where received WAL waits for replay: a primary that does nothing makes the
-- last replayed transaction old, but no one is behind.
WITH
here AS MATERIALIZED (
	SELECT pg_catalog.pg_is_in_recovery() AS standby,
	       CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
	       ELSE pg_catalog.pg_current_wal_lsn() END AS lsn
),
client AS MATERIALIZED (
	SELECT r.pid, r.application_name, r.client_addr, r.state, r.sync_state,
	       pg_catalog.date_part('epoch', r.replay_lag) AS seconds,
	       pg_catalog.pg_wal_lsn_diff(h.lsn, r.replay_lsn)::pg_catalog.float8 AS bytes
	FROM pg_catalog.pg_stat_replication AS r
	CROSS JOIN here AS h
),
own AS MATERIALIZED (
	SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_receive_lsn(),
			pg_catalog.pg_last_wal_replay_lsn())::pg_catalog.float8 AS bytes,
	       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
			- pg_catalog.pg_last_xact_replay_timestamp()) AS seconds,
	       CASE WHEN h.standby THEN pg_catalog.pg_is_wal_replay_paused() END AS paused,
	       EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver) AS receives,
	       COALESCE(pg_catalog.current_setting('primary_conninfo', true), '') <> '' AS streams
	FROM here AS h
	WHERE h.standby
),
found AS (
	SELECT pg_catalog.format('standby %s', COALESCE(NULLIF(c.application_name, ''),
		c.client_addr::pg_catalog.text,
			'process ' || c.pid)) AS object,
	       COALESCE(c.seconds, 0) AS seconds, COALESCE(c.bytes, 0) AS bytes,
	       pg_catalog.format('It is %s behind%s (%s, %s).',
			pg_catalog.pg_size_pretty(GREATEST(c.bytes, 0)::pg_catalog.int8),
			COALESCE(pg_catalog.format(' and replays %s s late',
				pg_catalog.round(c.seconds::pg_catalog.numeric, 1)), ''),
			c.state, c.sync_state) AS detail,
	       'See what it waits for: its disk, the network, or queries of its own that conflict'
			' (max_standby_streaming_delay).' AS remedy
	FROM client AS c
	-- a base backup, or a standby that has just come, is no standby that lags
	WHERE c.state IN ('streaming', 'catchup')
	UNION ALL
	SELECT 'this standby', CASE WHEN o.bytes > 0 THEN COALESCE(o.seconds, 0) ELSE 0 END,
		COALESCE(o.bytes, 0),
	       pg_catalog.format('%s of received WAL wait for replay; the last transaction replayed is %s'
		' s old.',
			pg_catalog.pg_size_pretty(o.bytes::pg_catalog.int8),
			pg_catalog.round(o.seconds::pg_catalog.numeric, 1)),
	       'See whether queries on it conflict with replay (pg_stat_database_conflicts), and its disk.'
	FROM own AS o
	WHERE NOT o.paused
	UNION ALL
	SELECT 'this standby', :warn_seconds::pg_catalog.float8, COALESCE(o.bytes, 0),
	       pg_catalog.format('Replay is paused; %s of received WAL wait for it.',
			pg_catalog.pg_size_pretty(COALESCE(o.bytes, 0)::pg_catalog.int8)),
	       'SELECT pg_wal_replay_resume();'
	FROM own AS o
	WHERE o.paused
	UNION ALL
	SELECT 'this standby', :critical_seconds::pg_catalog.float8, 0,
	       'It receives no WAL: primary_conninfo is set, but no WAL receiver runs.',
	       'Its log says why it cannot connect to the primary, or which WAL is gone there.'
	FROM own AS o
	WHERE o.streams
	AND NOT o.receives
)
SELECT NULL AS schema,
       f.object,
       CASE WHEN f.seconds >= :critical_seconds::pg_catalog.float8
		OR f.bytes >= :critical_bytes::pg_catalog.float8 THEN 'critical'
       ELSE 'warning' END AS severity,
       f.detail,
       f.remedy,
       pg_catalog.format('replication_lag:%s', f.object) AS ignore_key,
       f.bytes + f.seconds * 1048576 AS impact,
       pg_catalog.jsonb_build_object('bytes', f.bytes,
		'seconds', pg_catalog.round(f.seconds::pg_catalog.numeric, 2)) AS evidence
FROM found AS f
WHERE f.seconds >= :warn_seconds::pg_catalog.float8
OR f.bytes >= :warn_bytes::pg_catalog.float8
UNION ALL
SELECT NULL, NULL, 'unknown', pg_catalog.format('the state of %s replication client(s) is hidden',
		pg_catalog.count(*)),
       pg_catalog.format('GRANT pg_read_all_stats TO %I;', CURRENT_USER), NULL, 0, NULL
FROM client AS c
WHERE c.state IS NULL
HAVING pg_catalog.count(*) > 0
UNION ALL
SELECT NULL, NULL, 'unknown', 'whether a standby is meant to stream is hidden (primary_conninfo)',
       pg_catalog.format('GRANT pg_read_all_settings TO %I;', CURRENT_USER), NULL, 0, NULL
FROM own AS o
WHERE NOT pg_catalog.pg_has_role(CURRENT_USER, 'pg_read_all_settings', 'USAGE')
AND NOT o.receives
