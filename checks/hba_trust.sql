-- id: hba_trust
-- title: pg_hba.conf admits without a password
-- family: security
-- severity: warning
-- versions: 13-
-- needs: column pg_hba_file_rules.auth_method
-- threshold: local 1 | 0: lines for Unix sockets and this machine's own address do not count
--
-- Lines of pg_hba.conf with the method trust, which admits whoever asks as any role that they name; those
-- that send a password in clear over a connection without TLS; and lines that the server could not read, so
-- that it keeps the old rules. By the file as it is on disk.
WITH
line AS MATERIALIZED (
	SELECT r.line_number, r.type, r.database, r.user_name, r.address, r.netmask, r.auth_method, r.error,
	       r.type <> 'local' AND COALESCE(r.address, '') !~ '^(127\.|::1$|localhost$|samehost$)' AS remote
	FROM pg_catalog.pg_hba_file_rules AS r
),
found AS (
	SELECT 'error' AS kind, 'warning' AS severity, l.*,
	       pg_catalog.format('Line %s cannot be read (%s): the server keeps the rules that it had,'
		' and would not'
			' start.', l.line_number, l.error) AS detail,
	       'Mend the line, then SELECT pg_reload_conf();' AS remedy
	FROM line AS l
	-- one that was read has a type and may have a remark, such as that it needs TLS, which is off
	WHERE l.error IS NOT NULL
	AND l.type IS NULL
	UNION ALL
	SELECT 'trust', CASE WHEN l.remote THEN 'critical' ELSE 'info' END, l.*,
	       pg_catalog.format('Line %s admits %s as any role of %s, without a password.', l.line_number,
			CASE WHEN l.type = 'local' THEN 'every user of the machine'
			WHEN NOT l.remote THEN 'every program on the machine'
			ELSE pg_catalog.format('whoever can connect from %s', l.address
				|| COALESCE('/' || l.netmask, '')) END,
			pg_catalog.array_to_string(l.user_name, ', ')),
	       pg_catalog.format('Use %s in its place, then SELECT pg_reload_conf();',
			CASE WHEN l.type = 'local' THEN 'peer or scram-sha-256' ELSE 'scram-sha-256' END)
	FROM line AS l
	WHERE l.auth_method = 'trust'
	AND (l.remote OR :local::pg_catalog.float8 <> 0)
	UNION ALL
	SELECT 'password', 'warning', l.*,
	       pg_catalog.format('Line %s asks for a password in clear from %s, also without TLS.',
		l.line_number,
			l.address || COALESCE('/' || l.netmask, '')),
	       'Use scram-sha-256 in its place, then SELECT pg_reload_conf();'
	FROM line AS l
	WHERE l.auth_method = 'password'
	AND l.type IN ('host', 'hostnossl')
	AND l.remote
)
SELECT NULL AS schema,
       pg_catalog.format('pg_hba.conf line %s', f.line_number) AS object,
       f.severity,
       f.detail,
       f.remedy,
       -- lines move; what they say does not
       CASE WHEN f.kind = 'error' THEN 'hba_trust:error'
       ELSE pg_catalog.format('hba_trust:%s:%s:%s:%s:%s', f.kind, f.type,
		pg_catalog.array_to_string(f.database, ','), pg_catalog.array_to_string(f.user_name, ','),
		COALESCE(f.address, '')) END AS ignore_key,
       -f.line_number AS impact,
       pg_catalog.jsonb_build_object(
		'line', f.line_number,
		'type', f.type,
		'database', f.database,
		'user', f.user_name,
		'address', f.address,
		'netmask', f.netmask,
		'method', f.auth_method
       ) AS evidence
FROM found AS f
