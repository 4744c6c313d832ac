-- threshold: mostly_null_index.min_rows=1000
-- threshold: mostly_null_index.min_bytes=1000
CREATE TABLE o01 (id int, a timestamptz, b int, c int UNIQUE);
CREATE INDEX o01_a ON o01 (a) WHERE a IS NOT NULL;
CREATE INDEX o01_b ON o01 (b); CREATE INDEX o01_id_a ON o01 (id, a);
INSERT INTO o01 SELECT g, CASE WHEN g % 100 = 0 THEN now() END, CASE WHEN g % 2 = 0 THEN g END
FROM generate_series(1, 5000) g;
-- small
CREATE TABLE o02 (a int); CREATE INDEX o02_a ON o02 (a);
INSERT INTO o02 SELECT NULL FROM generate_series(1, 500);
VACUUM ANALYZE;
