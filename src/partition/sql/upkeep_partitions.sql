-- The partitions of table $1 without its DEFAULT, in the order of their bounds. $2: class of the key (date,
-- timestamp, timestamptz, epoch, integer), $3: units of an epoch in a second. A bound that is open is NULL; pos
-- is a number of microseconds, or the integer itself.
WITH part AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpages, c.reltuples,
           coalesce((pg_catalog.to_jsonb(i) OPERATOR(pg_catalog.->>) 'inhdetachpending')::boolean, false) AS pending,
           pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, 0),
               '^FOR VALUES FROM \((MINVALUE|MAXVALUE|''[^'']*''|-?[0-9.]+)\) TO \((MINVALUE|MAXVALUE|''[^'']*''|-?[0-9.]+)\)$')
               AS bound
      FROM pg_catalog.pg_inherits AS i
      JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE i.inhparent = $1::oid
       AND c.oid <> (SELECT p.partdefid FROM pg_catalog.pg_partitioned_table AS p WHERE p.partrelid = $1::oid)
), text AS (
    SELECT p.*,
           CASE WHEN p.bound[1] NOT IN ('MINVALUE', '''-infinity''') THEN pg_catalog.btrim(p.bound[1], '''') END AS low,
           CASE WHEN p.bound[2] NOT IN ('MAXVALUE', '''infinity''') THEN pg_catalog.btrim(p.bound[2], '''') END AS high
      FROM part AS p
), instant AS (
    SELECT t.*,
           CASE $2 WHEN 'integer' THEN NULL
                   WHEN 'timestamptz' THEN t.low::timestamptz
                   WHEN 'epoch' THEN pg_catalog.to_timestamp(t.low::float8 / $3::float8)
                   ELSE t.low::timestamp AT TIME ZONE 'UTC' END AS low_at,
           CASE $2 WHEN 'integer' THEN NULL
                   WHEN 'timestamptz' THEN t.high::timestamptz
                   WHEN 'epoch' THEN pg_catalog.to_timestamp(t.high::float8 / $3::float8)
                   ELSE t.high::timestamp AT TIME ZONE 'UTC' END AS high_at
      FROM text AS t
)
SELECT i.oid, i.nspname, i.relname, i.relkind, i.pending, i.bound IS NOT NULL AS known,
       i.low, i.high, i.low_at, i.high_at,
       CASE WHEN $2 = 'integer' THEN pg_catalog.trunc(i.low::numeric)::bigint
            ELSE pg_catalog.round((EXTRACT(epoch FROM i.low_at) * 1000000)::numeric)::bigint END AS low_pos,
       CASE WHEN $2 = 'integer' THEN pg_catalog.trunc(i.high::numeric)::bigint
            ELSE pg_catalog.round((EXTRACT(epoch FROM i.high_at) * 1000000)::numeric)::bigint END AS high_pos,
       i.relpages::bigint * pg_catalog.current_setting('block_size')::bigint,
       GREATEST(i.reltuples, 0)::bigint
  FROM instant AS i
 ORDER BY low_pos NULLS FIRST, high_pos NULLS LAST
