CREATE TABLE v01 (x int); INSERT INTO v01 SELECT generate_series(1, 10);
CREATE UNLOGGED TABLE v02 (x int);
CREATE TEMP TABLE v03 (x int); INSERT INTO v03 SELECT generate_series(1, 10);
