-- server: log_lock_waits=on
-- server: log_checkpoints=on
-- server: log_temp_files=1MB
-- server: log_autovacuum_min_duration=1min
-- server: log_min_duration_statement=1s
SELECT 1;
