-- Of the server, the database and a role.
-- threshold: connection_use.warn=0.02
-- expect: connection_use:server
-- expect: connection_use:database fixture
-- server: max_connections=12
-- session a: SELECT 1
-- session b: SELECT 1
ALTER DATABASE fixture CONNECTION LIMIT 3;
