-- server: max_connections=20
-- expect: hba_trust:trust:local
-- expect: hba_trust:trust:network:*
-- expect: hba_trust:password:*
-- expect: hba_trust:error
SELECT current_setting('hba_file') AS hba \gset
COPY (SELECT unnest(ARRAY['local all all trust', 'host all all 127.0.0.1/32 trust', 'host shop web 0.0.0.0/0 trust',
	'hostssl all all samenet trust', 'host all all 10.0.0.0/8 password', 'hostnossl all all 10.1.0.0/16 password',
	'host all all all scram-sha-256', 'no such line', 'nor that one'])) TO :'hba';
