-- Indexes that were read, or that do more than to be read.
-- threshold: unused_index.min_days=0
-- threshold: unused_index.min_bytes=0
CREATE TABLE p (id int PRIMARY KEY);
-- read
CREATE TABLE w01 (y int); CREATE INDEX w01_y ON w01 (y);
INSERT INTO w01 SELECT generate_series(1, 1000);
SET enable_seqscan = off;
SELECT count(*) FROM w01 WHERE y = 5;
-- one of the parts was read
CREATE TABLE w02 (x int, y int) PARTITION BY RANGE (x);
CREATE TABLE w02_1 PARTITION OF w02 FOR VALUES FROM (0) TO (10);
CREATE TABLE w02_2 PARTITION OF w02 FOR VALUES FROM (10) TO (20);
CREATE INDEX w02_y ON w02 (y);
INSERT INTO w02 SELECT 5, generate_series(1, 1000);
SELECT count(*) FROM w02 WHERE x = 5 AND y = 5;
-- constraints, unique, exclusion, replica identity
CREATE TABLE w03 (x int PRIMARY KEY, y int UNIQUE, z int NOT NULL, EXCLUDE USING btree (z WITH =));
CREATE UNIQUE INDEX w03_u ON w03 (z, y);
CREATE TABLE w04 (x int NOT NULL); CREATE UNIQUE INDEX w04_x ON w04 (x);
ALTER TABLE w04 REPLICA IDENTITY USING INDEX w04_x;
-- the only one that serves a foreign key: B-tree, hash, on one partition
CREATE TABLE w05 (p int REFERENCES p); CREATE INDEX w05_p ON w05 (p);
CREATE TABLE w06 (p int REFERENCES p); CREATE INDEX w06_p ON w06 USING hash (p);
CREATE TABLE w07 (k int, p int REFERENCES p) PARTITION BY RANGE (k);
CREATE TABLE w07_1 PARTITION OF w07 FOR VALUES FROM (0) TO (10);
CREATE INDEX w07_1_p ON w07_1 (p);
