-- The steps of the Plan with seq $1.
SELECT c.step, c.kind, c.title, c.state, c.attempt, coalesce(c.pid, 0), c.backend_start,
       pg_catalog.to_char(c.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       coalesce(EXTRACT(epoch FROM c.finished_at - c.started_at) * 1000, -1),
       coalesce(c.size_bytes, -1), c.note, c.undo_sql, c.error
  FROM pgmend.change AS c
 WHERE c.plan_seq = $1::bigint
 ORDER BY c.step
