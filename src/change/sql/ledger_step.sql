-- Commit a step's new state: $1 plan, $2 step, $3 state, $4 error, $5 note, $6 size, $7 pid, $8 its start.
-- NULL leaves note and size as they are; a pid means that work begins. An error takes nothing from what was committed
-- as done: its answer may have got lost with the session.
UPDATE pgmend.change
   SET state = $3,
       error = $4,
       note = coalesce($5, note),
       size_bytes = coalesce($6::bigint, size_bytes),
       attempt = attempt + CASE WHEN $7::integer IS NULL THEN 0 ELSE 1 END,
       pid = coalesce($7::integer, pid),
       backend_start = coalesce($8::timestamptz, backend_start),
       started_at = CASE WHEN $7::integer IS NULL THEN started_at ELSE pg_catalog.clock_timestamp() END,
       finished_at = CASE WHEN $7::integer IS NULL THEN pg_catalog.clock_timestamp() END
 WHERE plan_seq = $1::bigint
   AND step = $2::integer
   AND ($4::text IS NULL OR state NOT IN ('done', 'undone'))
