-- threshold: toast_weight.min_bytes=1000000
-- expect: toast_weight:public.t01
CREATE TABLE t01 (id int, j text); ALTER TABLE t01 ALTER j SET STORAGE EXTERNAL;
INSERT INTO t01 SELECT g, repeat(md5(g::text), 200) FROM generate_series(1, 500) g;
VACUUM ANALYZE t01;
