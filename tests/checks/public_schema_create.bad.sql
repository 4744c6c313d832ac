-- expect: public_schema_create:public
-- expect: public_schema_create:"Drop box"
GRANT CREATE ON SCHEMA public TO PUBLIC;
CREATE SCHEMA "Drop box";
GRANT ALL ON SCHEMA "Drop box" TO PUBLIC;
