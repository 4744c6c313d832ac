-- Foreign keys that an index serves, or that need none.
CREATE TABLE p (id int PRIMARY KEY, t text UNIQUE);
CREATE TABLE p2 (a int, b int, PRIMARY KEY (a, b));
-- plain, longer, unique, and a primary key
CREATE TABLE g01 (p int REFERENCES p);
CREATE INDEX ON g01 (p);
CREATE TABLE g02 (p int REFERENCES p, x int);
CREATE INDEX ON g02 (p DESC, x);
CREATE TABLE g03 (p int UNIQUE REFERENCES p);
CREATE TABLE g04 (p int PRIMARY KEY REFERENCES p);
-- hash over one column
CREATE TABLE g05 (p int REFERENCES p);
CREATE INDEX ON g05 USING hash (p);
-- two columns in the other order, and with more behind them
CREATE TABLE g06 (a int, b int, x int, FOREIGN KEY (a, b) REFERENCES p2);
CREATE INDEX ON g06 (b, a, x);
-- partial by IS NOT NULL: a NULL never references
CREATE TABLE g07 (p int REFERENCES p);
CREATE INDEX ON g07 (p) WHERE p IS NOT NULL;
CREATE TABLE g08 (t text REFERENCES p (t));
CREATE INDEX ON g08 (t) WHERE t IS NOT NULL;
CREATE TABLE g08v (t varchar(20) REFERENCES p (t));
CREATE INDEX ON g08v (t) WHERE t IS NOT NULL;
-- with INCLUDE behind it
CREATE TABLE g09 (p int REFERENCES p, x int);
CREATE INDEX ON g09 (p) INCLUDE (x);
-- partitioned, by an index of all partitions, whose columns stand in another order
CREATE TABLE g10 (k int, p int REFERENCES p) PARTITION BY RANGE (k);
CREATE TABLE g10_1 PARTITION OF g10 FOR VALUES FROM (0) TO (10);
CREATE TABLE g10_2 (p int, gone int, k int);
ALTER TABLE g10_2 DROP COLUMN gone;
ALTER TABLE g10 ATTACH PARTITION g10_2 FOR VALUES FROM (10) TO (20);
CREATE INDEX ON g10 (p);
-- each partition by its own index, none on the partitioned table
CREATE TABLE g11 (k int, p int REFERENCES p) PARTITION BY RANGE (k);
CREATE TABLE g11_1 PARTITION OF g11 FOR VALUES FROM (0) TO (10);
CREATE TABLE g11_2 (p int, k int);
ALTER TABLE g11 ATTACH PARTITION g11_2 FOR VALUES FROM (10) TO (20);
CREATE INDEX ON g11_1 (p);
CREATE INDEX ON g11_2 (p);
-- the second column first in a primary key, the first in the other
CREATE TABLE g12 (l int REFERENCES p, r int REFERENCES p, PRIMARY KEY (l, r));
CREATE INDEX ON g12 (r, l);
-- one index for a short and a long foreign key
CREATE TABLE g13 (a int REFERENCES p, b int, FOREIGN KEY (a, b) REFERENCES p2);
CREATE INDEX ON g13 (a, b);
-- temporary tables end with their session
CREATE TEMPORARY TABLE tp (id int PRIMARY KEY);
CREATE TEMPORARY TABLE tc (p int REFERENCES tp);
-- a dropped column before the key
CREATE TABLE g14 (gone int, p int REFERENCES p);
ALTER TABLE g14 DROP COLUMN gone;
CREATE INDEX ON g14 (p) WHERE p IS NOT NULL;
-- not pgmend's own schema
CREATE SCHEMA pgmend;
CREATE TABLE pgmend.own (p int REFERENCES public.p);
-- wider type than what it references
CREATE TABLE g15 (p bigint REFERENCES p);
CREATE INDEX ON g15 (p);
-- an operator class that compares other than by the collation finds equal values all the same
CREATE TABLE g16 (t text REFERENCES p (t));
CREATE INDEX ON g16 (t text_pattern_ops);
-- one column of the two is the referenced table's key: its index finds what both would
CREATE TABLE tenant_row (id int PRIMARY KEY, tenant int NOT NULL, UNIQUE (tenant, id));
CREATE TABLE g18 (tenant int, r int, x int, FOREIGN KEY (tenant, r) REFERENCES tenant_row (tenant, id));
CREATE INDEX ON g18 (r, x);
DO $$
BEGIN
	IF current_setting('server_version_num')::int >= 180000 THEN
		EXECUTE 'CREATE TABLE g17 (p int REFERENCES p NOT ENFORCED)';
	END IF;
END
$$;
