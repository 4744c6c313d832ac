-- Pairs that look alike, of which neither can go.
-- collation
CREATE TABLE e01 (x text); CREATE INDEX ON e01 (x); CREATE INDEX ON e01 (x COLLATE "C");
-- one direction of two; NULLS FIRST alone
CREATE TABLE e02 (x int, y int); CREATE INDEX ON e02 (x, y); CREATE INDEX ON e02 (x, y DESC);
CREATE TABLE e03 (x int); CREATE INDEX ON e03 (x); CREATE INDEX ON e03 (x NULLS FIRST);
-- operator class
CREATE TABLE e04 (x text); CREATE INDEX ON e04 (x); CREATE INDEX ON e04 (x text_pattern_ops);
CREATE TABLE e05 (x jsonb); CREATE INDEX ON e05 USING gin (x);
CREATE INDEX ON e05 USING gin (x jsonb_path_ops);
-- predicate, expression, access method, order of columns, INCLUDE
CREATE TABLE e06 (x int, y int); CREATE INDEX ON e06 (x) WHERE y > 0; CREATE INDEX ON e06 (x) WHERE y > 1;
CREATE TABLE e07 (x text); CREATE INDEX ON e07 (lower(x)); CREATE INDEX ON e07 (upper(x));
CREATE TABLE e08 (x int); CREATE INDEX ON e08 (x); CREATE INDEX ON e08 USING hash (x);
CREATE TABLE e09 (x int, y int); CREATE INDEX ON e09 (x, y); CREATE INDEX ON e09 (y, x);
CREATE TABLE e10 (x int, y int, z int); CREATE INDEX ON e10 (x) INCLUDE (y);
CREATE INDEX ON e10 (x) INCLUDE (z);
-- two constraints; a constraint that is checked late does not stand in for one that is not
CREATE TABLE e11 (x int PRIMARY KEY, UNIQUE (x));
CREATE TABLE e12 (x int UNIQUE DEFERRABLE INITIALLY DEFERRED); CREATE UNIQUE INDEX ON e12 (x);
-- the replica identity, and what a foreign key refers to
CREATE TABLE e13 (x int NOT NULL PRIMARY KEY); CREATE UNIQUE INDEX e13_b ON e13 (x);
ALTER TABLE e13 REPLICA IDENTITY USING INDEX e13_b;
CREATE TABLE e14 (x int NOT NULL); CREATE UNIQUE INDEX ON e14 (x);
CREATE TABLE e14c (x int REFERENCES e14 (x)); CREATE INDEX ON e14c (x);
ALTER TABLE e14 ADD PRIMARY KEY (x);
-- parts of one partitioned index
CREATE TABLE e15 (x int, k int) PARTITION BY RANGE (k);
CREATE TABLE e15_1 PARTITION OF e15 FOR VALUES FROM (0) TO (10);
CREATE TABLE e15_2 PARTITION OF e15 FOR VALUES FROM (10) TO (20);
CREATE INDEX ON e15 (x);
-- BRIN of another width
CREATE TABLE e16 (x int); CREATE INDEX ON e16 USING brin (x);
CREATE INDEX ON e16 USING brin (x) WITH (pages_per_range = 4);
-- one index with the same column twice in another order of expressions
CREATE TABLE e17 (x int, y int); CREATE INDEX ON e17 ((x + 1), y); CREATE INDEX ON e17 (y, (x + 1));
DO $$
BEGIN
	IF current_setting('server_version_num')::int >= 150000 THEN
		EXECUTE 'CREATE TABLE e18 (x int)';
		EXECUTE 'CREATE UNIQUE INDEX ON e18 (x)';
		EXECUTE 'CREATE UNIQUE INDEX ON e18 (x) NULLS NOT DISTINCT';
	END IF;
END
$$;
