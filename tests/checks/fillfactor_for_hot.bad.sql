-- threshold: fillfactor_for_hot.min_updates=1000
-- expect: fillfactor_for_hot:public.h01
CREATE TABLE h01 (id int PRIMARY KEY, n int) WITH (autovacuum_enabled = false);
INSERT INTO h01 SELECT g, 0 FROM generate_series(1, 5000) g;
-- one transaction: no room is made on the way
UPDATE h01 SET n = n + 1;
