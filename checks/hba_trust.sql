-- id: hba_trust
-- title: pg_hba.conf admits without a password
-- family: security
-- severity: warning
-- versions: 13-
-- needs: column pg_hba_file_rules.auth_method
-- threshold: local 1 | 0: lines for Unix sockets and this machine's own address do not count
--
-- Lines of pg_hba.conf with the method trust, which admits whoever asks as any role that they name; those
-- that send a password in clear over a connection without TLS; and lines that the server could not read,
-- so that it keeps the old rules. By the file as it is on disk; one finding for all lines that open the
-- same way.
--
-- A line with trust that asks for a client's certificate (clientcert) is left out.
WITH
line AS MATERIALIZED (
	SELECT r.line_number, r.type, r.database, r.user_name, r.auth_method, r.error,
	       r.address || COALESCE('/' || r.netmask, '') AS address,
	       r.type <> 'local' AND COALESCE(r.address, '') !~ '^(127\.|::1$|localhost$|samehost$)' AS remote,
	       COALESCE(pg_catalog.array_to_string(r.options, ',') ~ '\mclientcert=', false) AS certificate,
	       pg_catalog.array_to_string(r.database, ', ') AS databases,
	       pg_catalog.array_to_string(r.user_name, ', ') AS users
	FROM pg_catalog.pg_hba_file_rules AS r
),
exposed AS (
	SELECT 'error' AS kind, l.*, l.error AS says
	FROM line AS l
	-- one that was read has a type and may have a remark, such as that it needs TLS, which is off
	WHERE l.error IS NOT NULL
	AND l.type IS NULL
	UNION ALL
	SELECT CASE WHEN l.remote THEN 'trust:network' ELSE 'trust:local' END, l.*,
	       pg_catalog.format('%s as %s, to %s',
			CASE WHEN l.type = 'local' THEN 'every user of the machine'
			WHEN NOT l.remote THEN 'every program on the machine'
			WHEN l.address = 'all' THEN 'whoever can connect'
			ELSE pg_catalog.format('whoever can connect from %s', l.address) END,
			CASE WHEN l.users = 'all' THEN 'any role' ELSE l.users END,
			CASE WHEN l.databases = 'all' THEN 'any database' ELSE l.databases END)
	FROM line AS l
	WHERE l.auth_method = 'trust'
	AND NOT l.certificate
	AND (l.remote OR :local::pg_catalog.float8 <> 0)
	UNION ALL
	SELECT 'password', l.*, pg_catalog.format('from %s for %s, to %s', l.address, l.users, l.databases)
	FROM line AS l
	WHERE l.auth_method = 'password'
	AND l.type IN ('host', 'hostnossl')
	AND l.remote
),
numbered AS (
	SELECT e.*, pg_catalog.row_number() OVER (PARTITION BY e.kind ORDER BY e.line_number) AS place
	FROM exposed AS e
),
found AS (
	SELECT n.kind, pg_catalog.count(*) AS lines,
	       pg_catalog.string_agg(n.line_number::pg_catalog.text, ', ' ORDER BY n.line_number)
		FILTER (WHERE n.place <= 20)
			|| CASE WHEN pg_catalog.count(*) > 20 THEN ', ...' ELSE '' END AS numbers,
	       pg_catalog.string_agg(pg_catalog.format('line %s: %s', n.line_number, n.says), '; '
				ORDER BY n.line_number) FILTER (WHERE n.place <= 8)
		|| CASE WHEN pg_catalog.count(*) > 8
			THEN pg_catalog.format('; and %s more', pg_catalog.count(*) - 8) ELSE '' END AS says,
	       pg_catalog.bool_and(n.type = 'local') AS sockets,
	       -- lines move; what they say does not
	       pg_catalog.left(pg_catalog.md5(pg_catalog.string_agg(DISTINCT pg_catalog.concat_ws(' ',
			n.type, n.databases, n.users, n.address), E'\n')), 8) AS digest,
	       pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
			'line', n.line_number,
			'type', n.type,
			'database', n.database,
			'user', n.user_name,
			'address', n.address,
			'method', n.auth_method,
			'error', n.error
	       ) ORDER BY n.line_number) FILTER (WHERE n.place <= 1000) AS rules
	FROM numbered AS n
	GROUP BY n.kind
)
SELECT NULL AS schema,
       pg_catalog.format(CASE WHEN f.lines = 1 THEN 'pg_hba.conf line %s' ELSE 'pg_hba.conf lines %s' END,
		f.numbers) AS object,
       CASE f.kind WHEN 'trust:network' THEN 'critical' WHEN 'trust:local' THEN 'info' ELSE 'warning' END
	AS severity,
       CASE f.kind WHEN 'error' THEN 'The server keeps the rules that it had, and would not start: '
       WHEN 'password' THEN 'A password is asked for in clear, also without TLS: '
       ELSE 'Admitted without a password: ' END || f.says || '.' AS detail,
       CASE WHEN f.kind = 'error' THEN 'Mend what cannot be read, then SELECT pg_reload_conf();'
       ELSE pg_catalog.format('Use %s in its place, then SELECT pg_reload_conf();',
		CASE WHEN f.sockets THEN 'peer or scram-sha-256' ELSE 'scram-sha-256' END) END AS remedy,
       pg_catalog.format('hba_trust:%s', f.kind)
	|| CASE WHEN f.kind IN ('trust:network', 'password') THEN ':' || f.digest ELSE '' END AS ignore_key,
       f.lines::pg_catalog.float8 AS impact,
       pg_catalog.jsonb_build_object('lines', f.lines, 'rules', f.rules) AS evidence
FROM found AS f
