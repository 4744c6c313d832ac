-- server: max_connections=20
-- expect: hba_trust:trust:local:all:all:
-- expect: hba_trust:trust:host:shop:web:0.0.0.0
-- expect: hba_trust:password:host:all:all:10.0.0.0
-- expect: hba_trust:error
SELECT current_setting('hba_file') AS hba \gset
COPY (SELECT unnest(ARRAY['local all all trust', 'host shop web 0.0.0.0/0 trust', 'host all all 10.0.0.0/8 password',
	'host all all all scram-sha-256', 'no such line'])) TO :'hba';
