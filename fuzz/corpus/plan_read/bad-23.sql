-- migrate:up
SELECT 1;
-- pgmend:undo {"step":1}
