-- expect: unlogged_table:public.u01
CREATE UNLOGGED TABLE u01 (x int); INSERT INTO u01 SELECT generate_series(1, 10);
