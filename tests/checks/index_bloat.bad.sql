-- Indexes whose entries went while their pages stayed. Sizes are small: the threshold makes up for it.
-- threshold: index_bloat.min_bytes=500000
-- expect: index_bloat:public.b01_pkey
-- expect: index_bloat:public.b02_t
-- expect: index_bloat:public.b03_lower
CREATE TABLE b01 (id int PRIMARY KEY); INSERT INTO b01 SELECT generate_series(1, 60000);
CREATE TABLE b02 (t text, n int8); CREATE INDEX b02_t ON b02 (t, n);
INSERT INTO b02 SELECT md5(g::text), g FROM generate_series(1, 40000) g;
CREATE TABLE b03 (t text); CREATE INDEX b03_lower ON b03 (lower(t));
INSERT INTO b03 SELECT md5(g::text) FROM generate_series(1, 40000) g;
DELETE FROM b01 WHERE id % 10 <> 0; DELETE FROM b02 WHERE n % 10 <> 0; DELETE FROM b03 WHERE t < 'd';
VACUUM ANALYZE b01, b02, b03;
