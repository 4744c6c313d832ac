-- needs: SELECT count(*) = 1 FROM pg_available_extension_versions WHERE (name, version) = ('pg_stat_statements', '1.7')
-- expect: outdated_extension:pg_stat_statements
CREATE EXTENSION pg_stat_statements VERSION '1.7';
