-- What others may do over the network takes a password, TLS with it, or a certificate.
-- server: max_connections=20
-- threshold: hba_trust.local=0
SELECT current_setting('hba_file') AS hba \gset
COPY (SELECT unnest(ARRAY['local all all trust', 'host all all 127.0.0.1/32 trust', 'host all all ::1/128 trust',
	'host all all all scram-sha-256', 'hostssl all all 10.0.0.0/8 password', 'host all all 10.1.0.0/16 reject',
	'hostssl all all 10.2.0.0/16 trust clientcert=verify-ca'])) TO :'hba';
