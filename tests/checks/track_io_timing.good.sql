-- server: track_io_timing=on
SELECT 1;
