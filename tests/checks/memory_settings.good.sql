-- threshold: memory_settings.memory_mb=256
-- server: shared_buffers=64MB
-- server: effective_cache_size=192MB
-- server: work_mem=1MB
-- server: maintenance_work_mem=16MB
SELECT 1;
