-- server: archive_mode=on
-- server: archive_command=true
CREATE TABLE t (id int);
SELECT pg_switch_wal() IS NULL;
