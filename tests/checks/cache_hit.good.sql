-- A small table that is read often.
-- threshold: cache_hit.min_blocks=1000
CREATE TABLE small (x text);
INSERT INTO small SELECT repeat('x', 100) FROM generate_series(1, 1000);
SELECT 'SELECT count(*) FROM small' FROM generate_series(1, 200) \gexec
