-- migrate:up
-- pgmend:change {"step":"1"}
SELECT 1;