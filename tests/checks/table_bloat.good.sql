-- Full tables in which other estimates see bloat: alignment, TOAST, NULLs, fillfactor, wide rows.
-- threshold: table_bloat.min_bytes=500000
-- threshold: table_bloat.min_share=0.12
CREATE TABLE g01 (a int4, b int8, c int4, d int8, e bool, f int8);
INSERT INTO g01 SELECT g, g, g, g, true, g FROM generate_series(1, 30000) g;
CREATE TABLE g02 (id int, j jsonb); ALTER TABLE g02 ALTER j SET STORAGE EXTERNAL;
INSERT INTO g02 SELECT g, to_jsonb(repeat(md5(g::text), 100)) FROM generate_series(1, 3000) g;
CREATE TABLE g03 (id int, a text, b timestamptz, c int, d text);
INSERT INTO g03 SELECT g, CASE WHEN g % 3 = 0 THEN md5(g::text) END, now(), g, repeat('x', g % 50)
FROM generate_series(1, 30000) g;
CREATE TABLE g04 (id int, t text) WITH (fillfactor = 50);
INSERT INTO g04 SELECT g, md5(g::text) FROM generate_series(1, 30000) g;
CREATE TABLE g05 (id int, t text); ALTER TABLE g05 ALTER t SET STORAGE PLAIN;
INSERT INTO g05 SELECT g, repeat('x', 3000) FROM generate_series(1, 1000) g;
VACUUM ANALYZE g01, g02, g03, g04, g05;
