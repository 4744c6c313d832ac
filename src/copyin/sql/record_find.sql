-- The latest load of a file into a table. $1: the table's oid; $2, $3: the file's size and head.
SELECT r.id, r.how, r.state, r.position, r.line, r.rows, r.rejected, r.reject_bytes, r.reason_bytes,
       pg_catalog.to_char(r.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), r.file
  FROM pgmend.copy_in AS r
 WHERE r.relation = $1::oid AND r.size_bytes = $2::bigint AND r.head_sha256 = $3
 ORDER BY r.id DESC
 LIMIT 1
