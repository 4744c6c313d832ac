-- The latest measurement of each statement of Plan $1 in phase $2.
SELECT DISTINCT ON (m.statement_id) m.statement_id, m.data,
       pg_catalog.to_char(m.captured_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
  FROM pgmend.measurement AS m
 WHERE m.plan_id = $1
   AND m.phase = $2
 ORDER BY m.statement_id, m.id DESC
