-- pgmend:change {}
-- migrate:up
SELECT 1;