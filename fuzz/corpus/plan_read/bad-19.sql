-- migrate:up
-- pgmend:change {"step":0}
SELECT 1;