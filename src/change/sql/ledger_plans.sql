-- Plans in the Ledger, the latest first. $1: one id, or NULL for all. $2: only those not undone. $3: only those that
-- began and are not done and whose title begins so, or NULL.
SELECT p.seq, p.id, p.title, coalesce(p.path, ''), p.source, p.state, p.applied_by,
       pg_catalog.to_char(p.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       pg_catalog.to_char(p.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       EXTRACT(epoch FROM p.finished_at - p.started_at) * 1000,
       p.error,
       count(c.step),
       count(c.step) FILTER (WHERE c.state = 'done')
  FROM pgmend.plan AS p
  LEFT JOIN pgmend.change AS c ON c.plan_seq = p.seq
 WHERE ($1::text IS NULL OR p.id = $1)
   AND (NOT $2::boolean OR p.state <> 'undone')
   AND ($3::text IS NULL OR (pg_catalog.left(p.title, pg_catalog.length($3)) = $3
                             AND p.state IN ('running', 'failed', 'canceled')))
 GROUP BY p.seq
 ORDER BY p.seq DESC
