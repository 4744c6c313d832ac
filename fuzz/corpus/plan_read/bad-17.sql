-- migrate:up
-- pgmend:change {"a":1}
SELECT 1;