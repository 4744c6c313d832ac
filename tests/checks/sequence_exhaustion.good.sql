CREATE TABLE t01 (id serial PRIMARY KEY); SELECT setval('t01_id_seq', 1000000000);
CREATE TABLE t02 (id bigserial); SELECT setval('t02_id_seq', 4000000000);
CREATE SEQUENCE t03_seq MAXVALUE 1000 CYCLE; SELECT setval('t03_seq', 999);
-- never drawn from, though it starts near its end
CREATE SEQUENCE t04_seq MINVALUE 990 MAXVALUE 1000 START 999;
CREATE TEMP SEQUENCE t05_seq MAXVALUE 1000; SELECT setval('t05_seq', 999);
CREATE TABLE t06 (id numeric DEFAULT 1); CREATE SEQUENCE t06_seq OWNED BY t06.id;
SELECT setval('t06_seq', 3000000000);
