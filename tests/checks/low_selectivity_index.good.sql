-- threshold: low_selectivity_index.min_rows=1000
-- one value is rare
CREATE TABLE m01 (status text); CREATE INDEX m01_status ON m01 (status);
INSERT INTO m01 SELECT CASE WHEN g % 500 = 0 THEN 'pending' ELSE 'done' END FROM generate_series(1, 5000) g;
-- NULL is rare
CREATE TABLE m02 (flag bool); CREATE INDEX m02_flag ON m02 (flag);
INSERT INTO m02 SELECT CASE WHEN g % 100 <> 0 THEN g % 2 = 0 END FROM generate_series(1, 5000) g;
-- many values, more columns, a predicate, unique, small
CREATE TABLE m03 (n int, flag bool); CREATE INDEX m03_n ON m03 (n); CREATE INDEX m03_flag_n ON m03 (flag, n);
CREATE INDEX m03_flag ON m03 (flag) WHERE n < 100;
INSERT INTO m03 SELECT g, g % 2 = 0 FROM generate_series(1, 5000) g;
CREATE TABLE m04 (flag bool); CREATE INDEX m04_flag ON m04 (flag);
INSERT INTO m04 SELECT g % 2 = 0 FROM generate_series(1, 500) g;
-- serves a foreign key
CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (0), (1);
CREATE TABLE m05 (p int REFERENCES p); CREATE INDEX m05_p ON m05 (p);
INSERT INTO m05 SELECT g % 2 FROM generate_series(1, 5000) g;
VACUUM ANALYZE;
