-- server: password_encryption=scram-sha-256
SELECT 1;
