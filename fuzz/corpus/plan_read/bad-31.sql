-- pgmend:statement {"indexes":[1]}
-- migrate:up
SELECT 1;