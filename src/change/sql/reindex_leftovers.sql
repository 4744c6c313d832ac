-- What REINDEX CONCURRENTLY of index $1 left half made: it builds NAME_ccnew beside NAME, swaps the two, and drops
-- what is then NAME_ccold; both are invalid while they are there. The name is cut so that the suffix fits
-- (makeObjectName() in PostgreSQL's src/backend/commands/indexcmds.c), and gets a number where it is taken.
-- busy: a session holds the lock that a build or a drop of it takes, so it is not left over.
SELECT n.nspname, l.relname,
       EXISTS (SELECT
                 FROM pg_catalog.pg_locks AS k
                WHERE k.locktype = 'relation'
                  AND k.relation = l.oid
                  AND k.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
                                     WHERE d.datname = pg_catalog.current_database())
                  AND k.mode IN ('ShareUpdateExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
                                 'AccessExclusiveLock')
                  AND k.granted) AS busy
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_index AS li ON li.indrelid = i.indrelid AND li.indexrelid <> i.indexrelid
  JOIN pg_catalog.pg_class AS l ON l.oid = li.indexrelid AND l.relnamespace = c.relnamespace
  JOIN pg_catalog.pg_namespace AS n ON n.oid = l.relnamespace
 CROSS JOIN LATERAL (SELECT pg_catalog.regexp_replace(l.relname::text, '_cc(new|old)[0-9]*$', '') AS stem) AS s
 WHERE i.indexrelid = $1::oid
   AND NOT li.indisvalid
   AND s.stem <> l.relname::text
   AND s.stem <> ''
   AND pg_catalog.left(c.relname::text, pg_catalog.length(s.stem)) = s.stem
   AND (s.stem = c.relname::text OR pg_catalog.octet_length(l.relname::text) >= 59)
 ORDER BY l.relname
