-- expect: track_io_timing:server
SELECT 1;
