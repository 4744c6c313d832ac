-- Bounds of ranges of time. $1: the type of the key; $2: the time zone; $3: the unit; $4: what is asked for: 'cut'
-- (from now), 'floor' or 'ranges' (both from $5); $5: a bound or a value; $6: where the ranges end, or NULL; $7: how
-- many bounds at most; $8: the greatest key there is, or NULL; for 'cut' $5 may be NULL, 'tomorrow' or a value.
-- Answer: the bound as a literal, as it is read in the zone, the suffix of a name, whether it is near.
WITH given AS (
        SELECT CASE $3::text WHEN 'quarter' THEN interval '3 months'
                       ELSE ('1 ' || $3::text)::interval END AS step,
               pg_catalog.date_trunc('second', pg_catalog.now() AT TIME ZONE $2) AS local_now,
               CASE WHEN $3 = 'day' THEN interval '6 hours' ELSE interval '1 day' END AS margin,
               -- What a session of the zone would read: a value without a zone is in it.
               CASE WHEN $5::text IS NULL OR $5 = 'tomorrow' THEN NULL
                    WHEN $1 = 'timestamp with time zone' THEN $5::timestamptz AT TIME ZONE $2
                    ELSE $5::timestamp END AS value,
               CASE WHEN $8::text IS NULL THEN NULL
                    WHEN $1 = 'timestamp with time zone' THEN $8::timestamptz AT TIME ZONE $2
                    ELSE $8::timestamp END AS newest,
               CASE WHEN $6::text IS NULL THEN NULL
                    WHEN $1 = 'timestamp with time zone' THEN $6::timestamptz AT TIME ZONE $2
                    ELSE $6::timestamp END AS until),
     start AS (
        SELECT g.*,
               CASE WHEN $4 = 'ranges' THEN g.value
                    WHEN $4 = 'floor' THEN pg_catalog.date_trunc($3, g.value)
                    WHEN $5 = 'tomorrow' THEN pg_catalog.date_trunc('day', g.local_now) + interval '1 day'
                    WHEN $5 IS NOT NULL THEN g.value
                    ELSE greatest(pg_catalog.date_trunc($3, g.local_now + g.margin) + g.step,
                                  pg_catalog.date_trunc($3, g.newest) + g.step) END AS first
          FROM given AS g),
     bounds AS (
        -- The first one as it is, the others at whole steps. By number, not one from the other: a midnight that a
        -- change of the clock takes away must not shift those after it.
        SELECT n, CASE WHEN n = 0 THEN s.first
                       ELSE pg_catalog.date_trunc($3, s.first) + n * s.step END AS bound
          FROM start AS s
         CROSS JOIN pg_catalog.generate_series(0, $7::integer - 1) AS n
         WHERE s.until IS NULL OR n = 0 OR pg_catalog.date_trunc($3, s.first) + n * s.step < s.until),
     ended AS (
        SELECT n, bound FROM bounds
         UNION ALL
        SELECT 1 + (SELECT max(n) FROM bounds), s.until
          FROM start AS s
         WHERE s.until IS NOT NULL)
SELECT CASE $1 WHEN 'timestamp with time zone'
               THEN pg_catalog.to_char((e.bound AT TIME ZONE $2) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
                    || CASE WHEN extract(microseconds FROM e.bound)::bigint % 1000000 <> 0
                            THEN pg_catalog.to_char(e.bound, '.US') ELSE '' END || '+00'
               WHEN 'date' THEN pg_catalog.to_char(e.bound, 'YYYY-MM-DD')
               ELSE pg_catalog.to_char(e.bound, 'YYYY-MM-DD HH24:MI:SS')
                    || CASE WHEN extract(microseconds FROM e.bound)::bigint % 1000000 <> 0
                            THEN pg_catalog.to_char(e.bound, '.US') ELSE '' END END,
       pg_catalog.to_char(e.bound, CASE $1 WHEN 'date' THEN 'YYYY-MM-DD' ELSE 'YYYY-MM-DD HH24:MI' END),
       'p' || pg_catalog.to_char(e.bound, CASE WHEN e.bound = pg_catalog.date_trunc('day', e.bound)
                                               THEN 'YYYYMMDD' ELSE 'YYYYMMDD"t"HH24MISS' END),
       e.bound < s.local_now + interval '1 hour'
  FROM ended AS e
 CROSS JOIN start AS s
 ORDER BY e.n
