-- expect: invalid_constraint:public.i01:i01_p_fkey
-- expect: invalid_constraint:public.i02:positive
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE i01 (p int); ALTER TABLE i01 ADD FOREIGN KEY (p) REFERENCES p NOT VALID;
CREATE TABLE i02 (x int); ALTER TABLE i02 ADD CONSTRAINT positive CHECK (x > 0) NOT VALID;
