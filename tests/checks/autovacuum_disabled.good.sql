CREATE TABLE b01 (x int);
CREATE TABLE b02 (x int) WITH (autovacuum_enabled = true);
CREATE TABLE b03 (x int) WITH (autovacuum_enabled = on, fillfactor = 50);
CREATE TEMP TABLE b04 (x int) WITH (autovacuum_enabled = false);
