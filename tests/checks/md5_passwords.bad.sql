-- server: password_encryption=md5
-- expect: md5_passwords:"Old one"
CREATE ROLE "Old one" LOGIN PASSWORD 'x';
CREATE ROLE nobody_logs_in_as PASSWORD 'x';
SET password_encryption = 'scram-sha-256';
CREATE ROLE new_one LOGIN PASSWORD 'x';
