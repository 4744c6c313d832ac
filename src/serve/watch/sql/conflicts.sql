-- Why a standby canceled queries.
SELECT c.datid,
	c.datname,
	c.confl_tablespace AS pg_stat_database_conflicts_confl_tablespace,
	c.confl_lock AS pg_stat_database_conflicts_confl_lock,
	c.confl_snapshot AS pg_stat_database_conflicts_confl_snapshot,
	c.confl_bufferpin AS pg_stat_database_conflicts_confl_bufferpin,
	c.confl_deadlock AS pg_stat_database_conflicts_confl_deadlock
FROM pg_catalog.pg_stat_database_conflicts AS c
WHERE c.datname = pg_catalog.current_database()
