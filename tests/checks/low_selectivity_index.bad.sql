-- threshold: low_selectivity_index.min_rows=1000
-- expect: low_selectivity_index:public.l01_flag
-- expect: low_selectivity_index:public.l02_kind
CREATE TABLE l01 (flag bool, n int); CREATE INDEX l01_flag ON l01 (flag);
INSERT INTO l01 SELECT g % 2 = 0, g FROM generate_series(1, 5000) g;
CREATE TABLE l02 (kind text); CREATE INDEX l02_kind ON l02 USING hash (kind);
INSERT INTO l02 SELECT (ARRAY['a', 'b', 'c'])[1 + g % 3] FROM generate_series(1, 5000) g;
VACUUM ANALYZE l01, l02;
