-- pgmend:plan {"title":"x"}
-- migrate:up
SELECT 1;