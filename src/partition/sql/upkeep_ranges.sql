-- Ranges that follow each other from $1 on: months $3, days $4 and seconds $5 long, on the clock of zone $2; those
-- that begin by $6, and the next $7 of them, at most $8. $9: class of the key, $10: units of an epoch in a second.
-- $11: where to end, or NULL. Months and days are counted from the first bound, so that the 31st and a day without
-- midnight do not shift those after them.
WITH base AS (
    SELECT $1::timestamptz AS at,
           CASE WHEN pg_catalog.date_trunc('day', b.local) AT TIME ZONE $2 = $1::timestamptz
                THEN pg_catalog.date_trunc('day', b.local) ELSE b.local END AS local
      FROM (SELECT $1::timestamptz AT TIME ZONE $2 AS local) AS b
), edge AS (
    SELECT k, CASE WHEN $5::bigint > 0 THEN b.at + pg_catalog.make_interval(secs => k * $5::bigint)
                   ELSE (b.local + pg_catalog.make_interval(months => k * $3::integer, days => k * $4::integer))
                        AT TIME ZONE $2 END AS at
      FROM base AS b
     CROSS JOIN pg_catalog.generate_series(0, $8::integer) AS k
), range AS (
    SELECT e.k, e.at AS low, pg_catalog.lead(e.at) OVER (ORDER BY e.k) AS high
      FROM edge AS e
), counted AS (
    SELECT r.k, r.low, coalesce(LEAST(r.high, $11::timestamptz), r.high) AS high,
           count(*) FILTER (WHERE r.low > $6::timestamptz) OVER (ORDER BY r.k) AS ahead
      FROM range AS r
     WHERE r.high IS NOT NULL
), literal AS (
    SELECT c.*, e.which, e.at,
           EXTRACT(epoch FROM (e.at AT TIME ZONE $2) - (e.at AT TIME ZONE 'UTC'))::integer AS east
      FROM counted AS c
     CROSS JOIN LATERAL (VALUES ('low', c.low), ('high', c.high)) AS e(which, at)
     WHERE CASE WHEN $11::timestamptz IS NULL THEN c.ahead <= $7::integer ELSE c.low < $11::timestamptz END
), text AS (
    SELECT l.k, l.which, l.low,
           CASE $9 WHEN 'date' THEN (l.at AT TIME ZONE 'UTC')::date::text
                   WHEN 'timestamp' THEN (l.at AT TIME ZONE 'UTC')::text
                   WHEN 'epoch' THEN pg_catalog.round((EXTRACT(epoch FROM l.at))::numeric * $10::numeric)::text
                   ELSE CASE WHEN l.east % 60 <> 0 THEN (l.at AT TIME ZONE 'UTC')::text || '+00'
                             ELSE (l.at AT TIME ZONE $2)::text || CASE WHEN l.east < 0 THEN '-' ELSE '+' END
                                  || pg_catalog.lpad((pg_catalog.abs(l.east) / 3600)::text, 2, '0')
                                  || CASE WHEN l.east % 3600 = 0 THEN ''
                                          ELSE ':' || pg_catalog.lpad((pg_catalog.abs(l.east) / 60 % 60)::text, 2, '0')
                                     END
                        END
           END AS value
      FROM literal AS l
)
SELECT pg_catalog.max(t.value) FILTER (WHERE t.which = 'low'),
       pg_catalog.max(t.value) FILTER (WHERE t.which = 'high'),
       pg_catalog.max(t.low) AT TIME ZONE $2
  FROM text AS t
 GROUP BY t.k
 ORDER BY t.k
