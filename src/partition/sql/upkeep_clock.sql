-- What time it is for a table's key. $1: class of the key (date, timestamp, timestamptz, epoch), $2: time zone,
-- $3: the time to take for now, or NULL, $4: retention, or NULL. Instants of keys without a zone are taken as UTC.
WITH clock AS (
    SELECT coalesce($3::timestamptz, pg_catalog.now()) AS real,
           CASE WHEN $1 IN ('timestamptz', 'epoch') THEN $2 ELSE 'UTC' END AS zone
), key AS (
    SELECT c.zone,
           CASE WHEN $1 IN ('timestamptz', 'epoch') THEN c.real
                ELSE (c.real AT TIME ZONE $2) AT TIME ZONE 'UTC' END AS now
      FROM clock AS c
), edge AS (
    SELECT k.zone, k.now,
           ((k.now AT TIME ZONE k.zone) - $4::interval) AT TIME ZONE k.zone AS cutoff
      FROM key AS k
)
SELECT e.now,
       pg_catalog.round((EXTRACT(epoch FROM e.now) * 1000000)::numeric)::bigint,
       pg_catalog.round((EXTRACT(epoch FROM e.cutoff) * 1000000)::numeric)::bigint,
       e.cutoff
  FROM edge AS e
