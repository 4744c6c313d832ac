-- How long the partitions from $1 to $2 (arrays) are, in each of the time zones $3: the best zone first. months,
-- days or seconds: what is the same for all of them. A bound that stands for a midnight which daylight saving left
-- out counts as that midnight.
WITH edge AS (
    SELECT z.ord, z.zone, r.n,
           r.low AT TIME ZONE z.zone AS low, r.high AT TIME ZONE z.zone AS high,
           r.low AS low_at, r.high AS high_at
      FROM pg_catalog.unnest($3::text[]) WITH ORDINALITY AS z(zone, ord)
     CROSS JOIN ROWS FROM (pg_catalog.unnest($1::timestamptz[]), pg_catalog.unnest($2::timestamptz[])) WITH ORDINALITY AS r(low, high, n)
), local AS (
    SELECT e.ord, e.zone, e.n, e.low_at, e.high_at,
           CASE WHEN pg_catalog.date_trunc('day', e.low) AT TIME ZONE e.zone = e.low_at
                THEN pg_catalog.date_trunc('day', e.low) ELSE e.low END AS low,
           CASE WHEN pg_catalog.date_trunc('day', e.high) AT TIME ZONE e.zone = e.high_at
                THEN pg_catalog.date_trunc('day', e.high) ELSE e.high END AS high
      FROM edge AS e
), length AS (
    SELECT l.ord, l.zone,
           CASE WHEN pg_catalog.to_char(l.low, 'DD HH24:MI:SS.US') = pg_catalog.to_char(l.high, 'DD HH24:MI:SS.US')
                THEN (EXTRACT(year FROM l.high) - EXTRACT(year FROM l.low)) * 12
                     + EXTRACT(month FROM l.high) - EXTRACT(month FROM l.low) END AS months,
           CASE WHEN l.low::time = l.high::time THEN l.high::date - l.low::date END AS days,
           EXTRACT(epoch FROM l.high_at - l.low_at) AS seconds,
           EXTRACT(day FROM l.low) = 1 AS first_day,
           l.low::time = '00:00' AS midnight
      FROM local AS l
), agreed AS (
    SELECT h.ord, h.zone,
           CASE WHEN count(DISTINCT h.months) = 1 AND count(h.months) = count(*) THEN pg_catalog.min(h.months) END
               AS months,
           CASE WHEN count(DISTINCT h.days) = 1 AND count(h.days) = count(*) THEN pg_catalog.min(h.days) END AS days,
           CASE WHEN count(DISTINCT h.seconds) = 1 THEN pg_catalog.min(h.seconds) END AS seconds,
           pg_catalog.bool_and(h.first_day) AS first_day,
           pg_catalog.bool_and(h.midnight) AS midnight
      FROM length AS h
     GROUP BY h.ord, h.zone
)
SELECT a.zone,
       coalesce(a.months, 0)::integer,
       CASE WHEN a.months > 0 THEN 0 ELSE coalesce(a.days, 0)::integer END,
       CASE WHEN a.months > 0 OR a.days > 0 THEN 0 ELSE coalesce(a.seconds, 0)::bigint END,
       r.rank
  FROM agreed AS a
 CROSS JOIN LATERAL (
           SELECT CASE WHEN a.months > 0 AND a.midnight AND a.first_day THEN 0
                       WHEN a.months > 0 AND a.midnight THEN 1
                       WHEN a.days > 0 AND a.midnight THEN 2
                       WHEN a.months > 0 THEN 3
                       WHEN a.days > 0 THEN 4
                       WHEN a.seconds > 0 THEN 5
                       ELSE 6 END AS rank
       ) AS r
 ORDER BY r.rank, a.ord
 LIMIT 1
