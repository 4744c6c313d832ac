-- migrate:up
-- pgmend:change {"step":3}
CREATE INDEX p ON ONLY t (a);
CREATE INDEX CONCURRENTLY c ON t1 (a);
ALTER INDEX p ATTACH PARTITION c;
ANALYZE t;
-- migrate:down
-- pgmend:undo {"step":3}
DROP INDEX p;
