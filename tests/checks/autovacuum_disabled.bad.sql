-- expect: autovacuum_disabled:public.a01
-- expect: autovacuum_disabled:public.a02
CREATE TABLE a01 (x int) WITH (autovacuum_enabled = false);
CREATE TABLE a02 (x int) WITH (fillfactor = 90, autovacuum_enabled = off);
