-- synchronous_commit loses the last transactions at most: that may be meant so.
-- server: fsync=on
-- server: full_page_writes=on
-- server: synchronous_commit=off
SELECT 1;
