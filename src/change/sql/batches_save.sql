-- One batch more: $1 plan, $2 step, $3 cursor, $4 size, $5 rows, $6 its time so far (ms), $7 rows kept;
-- $8: whether the cursor moves.
UPDATE pgmend.batches
   SET cursor = CASE WHEN $8::boolean THEN $3 ELSE cursor END,
       size = $4::bigint,
       batches = batches + 1,
       rows = rows + $5::bigint,
       kept = kept + $7::bigint,
       work_ms = work_ms + $6::double precision,
       longest_ms = greatest(longest_ms, $6::double precision)
 WHERE plan_seq = $1::bigint
   AND step = $2::integer
