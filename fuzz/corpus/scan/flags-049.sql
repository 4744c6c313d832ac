SELECT pg_catalog . /* x */ "set_config" -- y
 ('a', 'b', 'f')