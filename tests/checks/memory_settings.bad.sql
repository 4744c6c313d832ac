-- A server with 64 MB of shared_buffers on a machine that has 100 MB.
-- threshold: memory_settings.memory_mb=100
-- expect: memory_settings:shared_buffers
-- expect: memory_settings:effective_cache_size
-- expect: memory_settings:work_mem
-- expect: memory_settings:maintenance_work_mem
SELECT 1;
