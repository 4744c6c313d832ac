-- pgmend:plain {}
-- migrate:up
SELECT 1;