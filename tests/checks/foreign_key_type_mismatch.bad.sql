-- expect: foreign_key_type_mismatch:public.c01:c01_p_fkey:p
-- expect: foreign_key_type_mismatch:public.c02:c02_p_fkey:p
-- expect: foreign_key_type_mismatch:public.c03:c03_p_fkey:p
-- expect: foreign_key_type_mismatch:public.c04:c04_a_b_fkey:b
CREATE TABLE p8 (id bigint PRIMARY KEY); CREATE TABLE c01 (p int REFERENCES p8);
CREATE TABLE pn (id numeric PRIMARY KEY); CREATE TABLE c02 (p int REFERENCES pn);
CREATE DOMAIN small AS smallint;
CREATE TABLE p4 (id int PRIMARY KEY); CREATE TABLE c03 (p small REFERENCES p4);
CREATE TABLE p2 (a text, b bigint, PRIMARY KEY (a, b));
CREATE TABLE c04 (a varchar(10), b int, FOREIGN KEY (a, b) REFERENCES p2);
