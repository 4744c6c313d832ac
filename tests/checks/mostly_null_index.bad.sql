-- threshold: mostly_null_index.min_rows=1000
-- threshold: mostly_null_index.min_bytes=1000
-- expect: mostly_null_index:public.n01_deleted_at
-- expect: mostly_null_index:public.n02_a_b
CREATE TABLE n01 (id int, deleted_at timestamptz); CREATE INDEX n01_deleted_at ON n01 (deleted_at);
INSERT INTO n01 SELECT g, CASE WHEN g % 100 = 0 THEN now() END FROM generate_series(1, 5000) g;
CREATE TABLE n02 (a int, b int); CREATE INDEX n02_a_b ON n02 (a, b);
INSERT INTO n02 SELECT NULL, g FROM generate_series(1, 5000) g;
VACUUM ANALYZE n01, n02;
