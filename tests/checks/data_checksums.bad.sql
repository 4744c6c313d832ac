-- Since PostgreSQL 18 they are on unless initdb is told otherwise.
-- initdb: --no-data-checksums
-- expect: data_checksums:server
SELECT 1;
