-- An administrator's tools, and a role that is no superuser's.
-- session a: SET application_name = 'psql'
-- session b: SET application_name = 'pg_dump'
-- session c: SET application_name = 'pgAdmin 4 - DB:shop'
SELECT 1;
