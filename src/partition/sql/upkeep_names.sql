-- How siblings that begin at $2 are named $1, and what partitions that begin at $4 would be called so: the pattern
-- of to_char() among $3 that all of them hold, the longest first. prefix and rest are separate: a name may be cut.
WITH sibling AS (
    SELECT s.name, s.at, s.n
      FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::timestamp[])) WITH ORDINALITY AS s(name, at, n)
), stamp AS (
    SELECT f.format, f.ord, s.n, s.name, pg_catalog.to_char(s.at, f.format) AS stamp
      FROM pg_catalog.unnest($3::text[]) WITH ORDINALITY AS f(format, ord)
     CROSS JOIN sibling AS s
), place AS (
    SELECT t.*, pg_catalog.length(t.name) - pg_catalog.length(t.stamp) + 1
                - pg_catalog.strpos(pg_catalog.reverse(t.name), pg_catalog.reverse(t.stamp)) AS before
      FROM stamp AS t
     WHERE pg_catalog.strpos(t.name, t.stamp) > 0
), pattern AS (
    SELECT p.format, p.ord, pg_catalog.left(p.name, p.before) AS prefix,
           pg_catalog.substr(p.name, p.before + pg_catalog.length(p.stamp) + 1) AS suffix,
           pg_catalog.min(pg_catalog.length(p.stamp)) AS length
      FROM place AS p
     GROUP BY 1, 2, 3, 4
    HAVING count(*) = (SELECT count(*) FROM sibling)
), best AS (
    SELECT p.*
      FROM pattern AS p
     ORDER BY p.length DESC, p.ord
     LIMIT 1
)
SELECT b.prefix, pg_catalog.to_char(t.at, b.format) || b.suffix
  FROM best AS b
 CROSS JOIN pg_catalog.unnest($4::timestamp[]) WITH ORDINALITY AS t(at, n)
 ORDER BY t.n
