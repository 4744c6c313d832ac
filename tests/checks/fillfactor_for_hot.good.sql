-- threshold: fillfactor_for_hot.min_updates=1000
-- HOT: room was left
CREATE TABLE i01 (id int PRIMARY KEY, n int) WITH (fillfactor = 40, autovacuum_enabled = false);
INSERT INTO i01 SELECT g, 0 FROM generate_series(1, 5000) g; UPDATE i01 SET n = n + 1;
-- few updates; no index that would be spared
CREATE TABLE i02 (id int PRIMARY KEY, n int); INSERT INTO i02 SELECT g, 0 FROM generate_series(1, 500) g;
UPDATE i02 SET n = n + 1;
CREATE TABLE i03 (id int, n int); INSERT INTO i03 SELECT g, 0 FROM generate_series(1, 5000) g;
UPDATE i03 SET n = n + 1;
-- HOT: each page is pruned as it fills
CREATE TABLE i04 (id int PRIMARY KEY, n int); INSERT INTO i04 VALUES (1, 0);
SELECT 'UPDATE i04 SET n = n + 1' FROM generate_series(1, 1500) \gexec
