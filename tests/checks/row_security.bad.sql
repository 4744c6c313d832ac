-- expect: row_security:public.not_enabled
-- expect: row_security:public.no_policy
CREATE TABLE not_enabled (id int, owner name);
CREATE POLICY own ON not_enabled USING (owner = CURRENT_USER);
CREATE TABLE no_policy (id int);
ALTER TABLE no_policy ENABLE ROW LEVEL SECURITY;
