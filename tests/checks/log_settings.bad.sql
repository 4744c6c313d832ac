-- server: log_statement=all
-- expect: log_settings:quiet
-- expect: log_settings:log_statement
SELECT 1;
