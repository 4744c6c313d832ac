-- migrate:up
CREATE INDEX CONCURRENTLY "a""
-- b" ON U&"\0041".t (E'a\'b' , $x$ ; $$ ; $x$, 'a'
'b', /* /* */ ; */ "c");
DO $$ BEGIN; END $$;
