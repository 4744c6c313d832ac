-- A table of 20 MB: too large a part of shared_buffers (64 MB) to be kept there by sequential scans.
-- threshold: cache_hit.min_blocks=1000
-- expect: cache_hit:public.big
-- expect: cache_hit:database
CREATE TABLE big (x text);
INSERT INTO big SELECT repeat('x', 1000) FROM generate_series(1, 20000);
-- writes it anew, past shared_buffers
VACUUM FULL big;
\c
SELECT pg_stat_reset();
SELECT count(*) FROM big;
SELECT count(*) FROM big;
SELECT count(*) FROM big;
SELECT count(*) FROM big;
SELECT count(*) FROM big;
SELECT count(*) FROM big;
