-- Indexes that the Ledger says are ours and not dropped: those of one step ($1, $2), or of one name ($3, $4).
SELECT m.id, m.schema_name, m.index_name, m.relation_oid, coalesce(m.index_oid, 0), m.state
  FROM pgmend.made AS m
 WHERE m.state <> 'dropped'
   AND ($1::bigint IS NULL OR (m.plan_seq = $1::bigint AND m.step = $2::integer))
   AND ($3::text IS NULL OR (m.schema_name = $3 AND m.index_name = $4))
 ORDER BY m.id
