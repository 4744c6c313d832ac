CREATE TABLE has_both (id int, owner name);
CREATE POLICY own ON has_both USING (owner = CURRENT_USER);
ALTER TABLE has_both ENABLE ROW LEVEL SECURITY;
CREATE TABLE has_neither (id int);
