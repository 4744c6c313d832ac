-- Foreign keys that lack an index, each in a way of its own.
-- expect: fk_without_index:public.c01:c01_p_fkey
-- expect: fk_without_index:public.c02:c02_a_b_fkey
-- expect: fk_without_index:public.c03:c03_p_fkey
-- expect: fk_without_index:public.c04:c04_p_fkey
-- expect: fk_without_index:public.c05:c05_p_fkey
-- expect: fk_without_index:public.c06:c06_a_b_fkey
-- expect: fk_without_index:public.c07:c07_p_fkey
-- expect: fk_without_index:public.c08:c08_p_fkey
-- expect: fk_without_index:public.c09:c09_p_fkey
-- expect: fk_without_index:public.c10:c10_p_fkey
-- expect: fk_without_index:public.c11:c11_a_b_fkey
-- expect: fk_without_index:public.c12:c12_t_fkey
-- expect: fk_without_index:public.c13:c13_p_fkey
-- expect: fk_without_index:public.c14:c14_p_fkey
-- expect: fk_without_index:public.c14:c14_other_fkey
-- expect: fk_without_index:public.c15:c15_p_fkey
-- expect: fk_without_index:public.c16:c16_up_fkey
-- expect: fk_without_index:public.c17:c17_a_b_fkey
-- expect: fk_without_index:public.c18:c18_k_fkey
-- expect: fk_without_index:public.c19:c19_p_fkey
-- expect: fk_without_index:other."Odd ""Table""":"Odd ""Table""_P x_fkey"
CREATE TABLE p (id int PRIMARY KEY, t text COLLATE "C" UNIQUE);
CREATE TABLE p2 (a int, b int, PRIMARY KEY (a, b));
-- none at all
CREATE TABLE c01 (p int REFERENCES p);
-- only the first of two columns
CREATE TABLE c02 (a int, b int, FOREIGN KEY (a, b) REFERENCES p2);
CREATE INDEX ON c02 (a);
-- not the leading column
CREATE TABLE c03 (x int, p int REFERENCES p);
CREATE INDEX ON c03 (x, p);
-- partial, by another predicate
CREATE TABLE c04 (p int REFERENCES p, x int);
CREATE INDEX ON c04 (p) WHERE x > 0;
-- in INCLUDE only
CREATE TABLE c05 (p int REFERENCES p, x int);
CREATE INDEX ON c05 (x) INCLUDE (p);
-- one key and one included column
CREATE TABLE c06 (a int, b int, FOREIGN KEY (a, b) REFERENCES p2);
CREATE INDEX ON c06 (a) INCLUDE (b);
-- BRIN does not find single rows well enough to be taken for an index
CREATE TABLE c07 (p int REFERENCES p);
CREATE INDEX ON c07 USING brin (p);
-- an expression over the column
CREATE TABLE c08 (p int REFERENCES p);
CREATE INDEX ON c08 ((p + 0));
-- the predicate is the contrary
CREATE TABLE c09 (p int REFERENCES p);
CREATE INDEX ON c09 (p) WHERE p IS NULL;
-- IS NOT NULL of another column
CREATE TABLE c10 (p int REFERENCES p, x int);
CREATE INDEX ON c10 (p) WHERE x IS NOT NULL;
-- partial over two columns: a row with one NULL is found in none
CREATE TABLE c11 (a int, b int, FOREIGN KEY (a, b) REFERENCES p2);
CREATE INDEX ON c11 (a, b) WHERE a IS NOT NULL;
-- another collation than the one that the foreign key compares by
CREATE TABLE c12 (t text COLLATE "C" REFERENCES p (t));
CREATE INDEX ON c12 (t COLLATE "POSIX");
-- IS NOT NULL and more
CREATE TABLE c13 (p int REFERENCES p, x int);
CREATE INDEX ON c13 (p) WHERE p IS NOT NULL AND x > 0;
-- two foreign keys over one column are two findings
CREATE TABLE c14 (p int REFERENCES p,
	CONSTRAINT c14_other_fkey FOREIGN KEY (p) REFERENCES p ON DELETE CASCADE);
-- one finding for a partitioned table, though each partition has a constraint of its own
CREATE TABLE c15 (k int, p int REFERENCES p) PARTITION BY RANGE (k);
CREATE TABLE c15_1 PARTITION OF c15 FOR VALUES FROM (0) TO (10);
CREATE TABLE c15_2 PARTITION OF c15 FOR VALUES FROM (10) TO (20);
CREATE INDEX ON c15_1 (p);
-- a table that references itself
CREATE TABLE c16 (id int PRIMARY KEY, up int REFERENCES c16 ON DELETE CASCADE);
-- a third column between the two
CREATE TABLE c17 (a int, x int, b int, FOREIGN KEY (a, b) REFERENCES p2);
CREATE INDEX ON c17 (a, x, b);
-- the referenced table is partitioned: again one finding
CREATE TABLE pp (k int PRIMARY KEY) PARTITION BY RANGE (k);
CREATE TABLE pp_1 PARTITION OF pp FOR VALUES FROM (0) TO (10);
CREATE TABLE pp_2 PARTITION OF pp FOR VALUES FROM (10) TO (20);
CREATE TABLE c18 (k int REFERENCES pp);
-- the index on the partitioned table is on ONLY it: no row is in it
CREATE TABLE c19 (k int, p int REFERENCES p) PARTITION BY RANGE (k);
CREATE TABLE c19_1 PARTITION OF c19 FOR VALUES FROM (0) TO (10);
CREATE INDEX c19_only ON ONLY c19 (p);
CREATE SCHEMA other;
CREATE TABLE other."Odd ""Table""" ("P x" int REFERENCES p);
