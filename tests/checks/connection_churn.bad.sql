-- threshold: connection_churn.min_sessions=20
-- threshold: connection_churn.min_per_minute=1
-- expect: connection_churn:database
\c
SELECT pg_stat_reset();
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
\c
