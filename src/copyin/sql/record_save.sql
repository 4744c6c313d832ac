-- What one transaction loads of a file. $1 id, $2 the position it began at, $3 and $4 position and line behind
-- it, $5 rows, $6 rejected, $7 and $8 the sizes of the files of rejected rows, $9 whether that was all.
UPDATE pgmend.copy_in
   SET position = $3::bigint,
       line = $4::bigint,
       rows = rows + $5::bigint,
       rejected = rejected + $6::bigint,
       reject_bytes = $7::bigint,
       reason_bytes = $8::bigint,
       state = CASE WHEN $9::boolean THEN 'done' ELSE 'running' END,
       updated_at = pg_catalog.clock_timestamp()
 WHERE id = $1::bigint
   AND position = $2::bigint
   AND state = 'running'
RETURNING id
