-- id: weak_password_encryption
-- title: New passwords are stored as MD5
-- family: security
-- severity: warning
-- versions: 13-
--
-- password_encryption = md5: passwords that are set from now on are stored as an MD5 hash. Who reads one can
-- log in with it as it is, and guess the password at billions of tries a second. PostgreSQL 18 warns of it,
-- and a later version ends it. md5_passwords says which roles have such a hash.
SELECT NULL AS schema,
       'password_encryption' AS object,
       NULL AS severity,
       'password_encryption is md5.' AS detail,
       E'-- when all clients know SCRAM (libpq since 10):\nALTER SYSTEM SET password_encryption ='
	' ''scram-sha-256'';'
	'\nSELECT pg_reload_conf();' AS remedy,
       'weak_password_encryption:setting' AS ignore_key,
       1 AS impact,
       pg_catalog.jsonb_build_object('setting', s.reset_val, 'source', s.source,
		-- it was the default until 13
		'by_default', s.source = 'default') AS evidence
FROM pg_catalog.pg_settings AS s
WHERE s.name = 'password_encryption'
AND s.reset_val IN ('md5', 'on')
