-- Rows that went from everywhere, so that no page is empty and cut off. Small: the threshold makes up for it.
-- threshold: table_bloat.min_bytes=1000000
-- expect: table_bloat:public.b01
-- expect: table_bloat:public.b02
CREATE TABLE b01 (id int, t text);
INSERT INTO b01 SELECT g, md5(g::text) FROM generate_series(1, 40000) g;
CREATE TABLE b02 (a int4, b int8, c int4); INSERT INTO b02 SELECT g, g, g FROM generate_series(1, 40000) g;
DELETE FROM b01 WHERE id % 2 = 0; DELETE FROM b02 WHERE a % 4 <> 0;
VACUUM ANALYZE b01, b02;
