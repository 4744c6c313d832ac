-- threshold: toast_weight.min_bytes=1000000
-- small; short values; half of it
CREATE TABLE u01 (j text); ALTER TABLE u01 ALTER j SET STORAGE EXTERNAL;
INSERT INTO u01 SELECT repeat(md5(g::text), 200) FROM generate_series(1, 50) g;
CREATE TABLE u02 (j text); INSERT INTO u02 SELECT md5(g::text) FROM generate_series(1, 30000) g;
CREATE TABLE u03 (j text); ALTER TABLE u03 ALTER j SET STORAGE EXTERNAL;
INSERT INTO u03 SELECT repeat(md5(g::text), 200) FROM generate_series(1, 300) g;
INSERT INTO u03 SELECT repeat('x', 1000) FROM generate_series(1, 2000) g;
VACUUM ANALYZE u01, u02, u03;
