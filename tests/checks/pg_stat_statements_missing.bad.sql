-- The library is loaded, but the extension is not there.
-- expect: pg_stat_statements_missing:not_installed
SELECT 1;
