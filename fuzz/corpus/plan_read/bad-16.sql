-- migrate:up
-- pgmend:change []
SELECT 1;