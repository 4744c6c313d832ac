-- The publications that name a table, and whether subscribers see it under its own name when it is partitioned.
-- $1: its oid. Row filters and column lists are there since PostgreSQL 15.
SELECT p.pubname, p.pubviaroot, pg_catalog.pg_has_role(p.pubowner, 'USAGE'),
       CASE WHEN pg_catalog.to_jsonb(r) ->> 'prattrs' IS NOT NULL
            THEN (SELECT ' (' || pg_catalog.string_agg(pg_catalog.quote_ident(a.name), ', ') || ')'
                    FROM pg_catalog.jsonb_array_elements_text(pg_catalog.to_jsonb(x) -> 'attnames') AS a (name)) END,
       ' WHERE (' || (pg_catalog.to_jsonb(x) ->> 'rowfilter') || ')'
  FROM pg_catalog.pg_publication_rel AS r
  JOIN pg_catalog.pg_publication AS p ON p.oid = r.prpubid
  JOIN pg_catalog.pg_class AS c ON c.oid = r.prrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_publication_tables AS x
    ON x.pubname = p.pubname AND x.schemaname = n.nspname AND x.tablename = c.relname
 WHERE r.prrelid = $1::oid
 ORDER BY p.pubname
