-- server: password_encryption=scram-sha-256
CREATE ROLE new_one LOGIN PASSWORD 'md5';
CREATE ROLE without LOGIN;
