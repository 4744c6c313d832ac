-- Bytes of temporary files in the default tablespace by process id: their names are pgsql_tmpPID.N.
SELECT pg_catalog.substring(f.name, '^pgsql_tmp([0-9]+)\.')::integer, pg_catalog.sum(f.size)
  FROM pg_catalog.pg_ls_tmpdir() AS f
 WHERE f.name OPERATOR(pg_catalog.~) '^pgsql_tmp[0-9]+\.'
 GROUP BY 1
