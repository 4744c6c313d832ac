-- pgmend:plan {"version":2}
-- migrate:up
SELECT 1;