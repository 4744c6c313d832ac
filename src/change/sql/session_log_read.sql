-- The latest $1 sessions that were cancelled or ended.
SELECT s.action, s.why, s.pid,
       pg_catalog.to_char(s.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       s.backend_type, s.database_name, s.user_name, s.application_name, s.client, s.state, s.query, s.asked_by,
       pg_catalog.to_char(s.asked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       s.outcome, s.message
  FROM pgmend.session_end AS s
 ORDER BY s.id DESC
 LIMIT $1::bigint
