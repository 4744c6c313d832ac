-- What the server is, and since when.
SELECT EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()) AS pg_postmaster_start_time_seconds,
	EXTRACT(epoch FROM pg_catalog.pg_conf_load_time()) AS pgmend_server_config_loaded_seconds,
	1 AS pg_static,
	pg_catalog.current_setting('server_version') AS short_version,
	pg_catalog.version() AS version
