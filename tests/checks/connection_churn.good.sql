-- threshold: connection_churn.min_per_minute=1
\c
\c
\c
