-- The same with compression.
-- server: full_page_writes=on
-- server: wal_compression=on
-- threshold: wal_volume.min_hour_bytes=1000000
CREATE TABLE t (id int, x text) WITH (fillfactor = 50);
INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 3000) g;
SELECT unnest(ARRAY['CHECKPOINT', 'UPDATE t SET id = id + 1 WHERE id % 7 = ' || g])
FROM generate_series(0, 6) g \gexec
