-- What is written to the WAL.
SELECT w.wal_records AS pgmend_wal_records_total,
	w.wal_fpi AS pgmend_wal_full_page_images_total,
	w.wal_bytes AS pgmend_wal_bytes_total,
	w.wal_buffers_full AS pgmend_wal_buffers_full_total
FROM pg_catalog.pg_stat_wal AS w
