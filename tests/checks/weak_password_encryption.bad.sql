-- server: password_encryption=md5
-- expect: weak_password_encryption:setting
SELECT 1;
