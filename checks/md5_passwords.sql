-- id: md5_passwords
-- title: Role whose password is stored as MD5
-- family: security
-- severity: warning
-- versions: 13-
-- needs: column pg_authid.rolpassword
--
-- Roles that may log in and whose password is stored as an MD5 hash. Who reads it, from a backup for one, can
-- log in with it as it is. Only the kind of hash is looked at; no more than that leaves the server. Only
-- superusers may read it unless they grant it.
SELECT NULL AS schema,
       pg_catalog.format('role %I', a.rolname) AS object,
       NULL AS severity,
       pg_catalog.format('The password of %I%s is stored as an MD5 hash.', a.rolname,
		CASE WHEN a.rolsuper THEN ', a superuser,' ELSE '' END) AS detail,
       pg_catalog.format(E'-- with password_encryption = ''scram-sha-256'', set it again (\\password asks'
	' for it):\n'
		'-- \\password %I', a.rolname) AS remedy,
       pg_catalog.format('md5_passwords:%I', a.rolname) AS ignore_key,
       CASE WHEN a.rolsuper THEN 2 ELSE 1 END AS impact,
       pg_catalog.jsonb_build_object('superuser', a.rolsuper) AS evidence
FROM pg_catalog.pg_authid AS a
WHERE a.rolcanlogin
AND a.rolpassword LIKE 'md5%'
AND pg_catalog.length(a.rolpassword) = 35
