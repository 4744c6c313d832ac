-- expect: sequence_exhaustion:public.s01_id_seq
-- expect: sequence_exhaustion:public.s02_id_seq
-- expect: sequence_exhaustion:public.s03_seq
-- expect: sequence_exhaustion:public.s04_seq
-- expect: sequence_exhaustion:public.s05_id_seq
-- expect: sequence_exhaustion:public."S 06""_seq"
CREATE TABLE s01 (id serial PRIMARY KEY); SELECT setval('s01_id_seq', 2000000000);
CREATE TABLE s02 (id smallint GENERATED ALWAYS AS IDENTITY); SELECT setval('s02_id_seq', 30000);
-- a sequence of 64 bits that fills a column of 32, by its default alone
CREATE SEQUENCE s03_seq; CREATE TABLE s03 (id int DEFAULT nextval('s03_seq'));
SELECT setval('s03_seq', 1900000000);
-- without a column
CREATE SEQUENCE s04_seq MAXVALUE 1000; SELECT setval('s04_seq', 999);
-- widened, but its sequence was not
CREATE TABLE s05 (id serial); ALTER TABLE s05 ALTER id TYPE bigint; SELECT setval('s05_id_seq', 2000000000);
CREATE SEQUENCE "S 06""_seq" INCREMENT -1 MINVALUE -100 MAXVALUE -1; SELECT setval('"S 06""_seq"', -90);
