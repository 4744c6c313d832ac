-- server: archive_mode=on
-- server: archive_command=false
-- expect: archive_failures:failing
CREATE TABLE t (id int);
SELECT pg_switch_wal() IS NULL;
