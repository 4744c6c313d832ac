-- migrate:up
SELECT 1;
-- migrate:down
-- pgmend:undo {"step":2}
SELECT 1