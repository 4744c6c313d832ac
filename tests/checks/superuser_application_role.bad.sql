-- expect: superuser_application_role:postgres
-- session a: SET application_name = 'shop'
-- session b: SET application_name = 'shop'
SELECT 1;
