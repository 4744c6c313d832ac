-- Bounds of ranges of an integer. $1: the type of the key; $2: the step; $3: 'cut', 'floor' or 'ranges' (both from
-- $4); $4: a bound or a value; for 'cut' NULL or a value; $5: where the ranges end, or NULL; $6: how many bounds at
-- most; $7: the greatest key there is, or NULL. Answer: the bound, the same, the suffix of a name, whether it is
-- near. The last bound that the type can hold is the last one.
WITH given AS (
        SELECT $2::numeric AS step,
               $4::numeric AS value,
               $5::numeric AS until,
               coalesce($7::numeric, 0) AS newest,
               CASE $1 WHEN 'smallint' THEN 32767 WHEN 'integer' THEN 2147483647
                       ELSE 9223372036854775807 END AS most),
     start AS (
        SELECT g.*,
               CASE WHEN $3 = 'ranges' THEN g.value
                    WHEN $3 = 'floor' THEN floor(g.value / g.step) * g.step
                    WHEN g.value IS NOT NULL THEN g.value
                    -- A whole step of room: until the swap, rows at or above the cut are refused.
                    ELSE (floor(g.newest / g.step) + 2) * g.step END AS first
          FROM given AS g),
     bounds AS (
        SELECT n, CASE WHEN n = 0 THEN s.first ELSE (floor(s.first / s.step) + n) * s.step END AS bound
          FROM start AS s
         CROSS JOIN pg_catalog.generate_series(0, $6::integer - 1) AS n
         WHERE s.until IS NULL OR n = 0 OR (floor(s.first / s.step) + n) * s.step < s.until),
     ended AS (
        SELECT n, bound FROM bounds
         UNION ALL
        SELECT 1 + (SELECT max(n) FROM bounds), s.until
          FROM start AS s
         WHERE s.until IS NOT NULL)
SELECT pg_catalog.to_char(e.bound, 'FM9999999999999999999'), pg_catalog.to_char(e.bound, 'FM9999999999999999999'),
       CASE WHEN e.bound < 0 THEN 'pm' ELSE 'p' END || pg_catalog.to_char(abs(e.bound), 'FM9999999999999999999'),
       e.bound - s.newest < s.step / 10
  FROM ended AS e
 CROSS JOIN start AS s
 WHERE e.bound <= s.most
 ORDER BY e.n
