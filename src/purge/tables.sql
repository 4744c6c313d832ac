-- The tables whose rows go when rows of table $1 are deleted: the table itself, and what references one of
-- them by a foreign key with ON DELETE CASCADE. The table comes first.
WITH RECURSIVE keys AS MATERIALIZED (
    -- A foreign key of a partitioned table has a copy for each partition of the referencing side.
    SELECT c.oid, c.conrelid, c.confrelid, c.confdeltype
      FROM pg_catalog.pg_constraint AS c
      LEFT JOIN pg_catalog.pg_constraint AS up ON up.oid = c.conparentid
     WHERE c.contype = 'f'
       AND coalesce((pg_catalog.to_jsonb(c) ->> 'conenforced')::boolean, true)
       AND (up.oid IS NULL OR up.confrelid <> c.confrelid)
), tables AS (
    SELECT $1::oid AS oid
     UNION
    SELECT k.conrelid
      FROM tables AS t
      JOIN keys AS k ON k.confrelid = t.oid
     WHERE k.confdeltype = 'c'
), members AS (
    SELECT t.oid AS top, t.oid AS member
      FROM tables AS t
     UNION
    SELECT m.top, h.inhrelid
      FROM members AS m
      JOIN pg_catalog.pg_inherits AS h ON h.inhparent = m.member
), published AS MATERIALIZED (
    -- By name, by schema, or FOR ALL TABLES.
    SELECT pg_catalog.to_regclass(pg_catalog.format('%I.%I', v.schemaname, v.tablename)) AS oid
      FROM pg_catalog.pg_publication AS pub
      JOIN pg_catalog.pg_publication_tables AS v ON v.pubname = pub.pubname
     WHERE pub.pubdelete
), sizes AS (
    SELECT m.top,
           pg_catalog.sum(greatest(c.reltuples, 0)) AS tuples,
           pg_catalog.sum(c.relpages) AS pages,
           pg_catalog.sum(coalesce((SELECT pg_catalog.sum(ic.relpages)
                                      FROM pg_catalog.pg_index AS i
                                      JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
                                     WHERE i.indrelid = c.oid), 0)) AS index_pages,
           pg_catalog.bool_or(m.member <> m.top AND NOT c.relispartition) AS inherits,
           pg_catalog.bool_or(c.relkind = 'f') AS has_foreign,
           -- Foreign keys that only some partitions have: their rows have relations that the table has not.
           pg_catalog.string_agg(DISTINCT own.conname::text, ', ') AS partition_keys
      FROM members AS m
      JOIN pg_catalog.pg_class AS c ON c.oid = m.member AND c.relkind IN ('r', 'p', 'f')
      LEFT JOIN LATERAL (
               SELECT k.conname
                 FROM pg_catalog.pg_constraint AS k
                WHERE k.contype = 'f'
                  AND m.member <> m.top
                  AND k.conparentid = 0
                  AND k.confrelid = m.member
           ) AS own ON true
     GROUP BY m.top
)
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relispartition,
       s.tuples, s.pages, s.index_pages, s.inherits, s.has_foreign, s.partition_keys,
       n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast', 'pgmend') OR n.nspname LIKE 'pg\_temp\_%' AS system,
       pg_catalog.row_security_active(c.oid) AS row_security,
       pg_catalog.has_table_privilege(c.oid, 'DELETE') AS may_delete,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AS may_select,
       pg_catalog.has_any_column_privilege(c.oid, 'UPDATE') AS may_update,
       trigger.before_row, trigger.others, trigger.enabled_any,
       (SELECT pg_catalog.string_agg(r.rulename::text, ', ')
          FROM pg_catalog.pg_rewrite AS r
         WHERE r.ev_class = c.oid
           AND r.ev_type = '4') AS delete_rules,
       identity.names, identity.types,
       EXISTS (SELECT
                 FROM members AS m
                 JOIN pg_catalog.pg_class AS r ON r.oid = m.member AND r.relkind = 'r'
                WHERE m.top = t.oid
                  AND (m.member IN (SELECT p.oid FROM published AS p) OR t.oid IN (SELECT p.oid FROM published AS p))
                  AND r.relreplident IN ('n', 'd')
                  AND NOT (r.relreplident = 'd'
                           AND EXISTS (SELECT
                                         FROM pg_catalog.pg_index AS i
                                        WHERE i.indrelid = r.oid
                                          AND i.indisprimary))) AS no_identity,
       identity.arrays
  FROM tables AS t
  JOIN pg_catalog.pg_class AS c ON c.oid = t.oid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  JOIN sizes AS s ON s.top = t.oid
 CROSS JOIN LATERAL (
           -- tgtype: 1 row, 2 before, 8 delete, 64 instead
           SELECT pg_catalog.string_agg(DISTINCT g.tgname::text, ', ') FILTER (WHERE g.tgtype & 3 = 3) AS before_row,
                  pg_catalog.string_agg(DISTINCT g.tgname::text, ', ') FILTER (WHERE g.tgtype & 3 <> 3) AS others,
                  count(*) AS enabled_any
             FROM pg_catalog.pg_trigger AS g
             JOIN members AS m ON m.member = g.tgrelid
            WHERE m.top = t.oid
              AND NOT g.tgisinternal
              AND g.tgtype & 8 <> 0
              AND g.tgenabled <> 'D'
       ) AS trigger
  LEFT JOIN LATERAL (
           SELECT pg_catalog.array_agg(a.attname ORDER BY k.place) AS names,
                  pg_catalog.array_agg(pg_catalog.format_type(a.atttypid, a.atttypmod)
                      || coalesce((SELECT pg_catalog.format(' COLLATE %I.%I', cn.nspname, l.collname)
                                     FROM pg_catalog.pg_collation AS l
                                     JOIN pg_catalog.pg_namespace AS cn ON cn.oid = l.collnamespace
                                    WHERE l.oid = a.attcollation
                                      AND l.collname <> 'default'), '') ORDER BY k.place) AS types,
                  pg_catalog.array_agg(pg_catalog.format_type(a.atttypid, a.atttypmod) || '[]'
                      || coalesce((SELECT pg_catalog.format(' COLLATE %I.%I', cn.nspname, l.collname)
                                     FROM pg_catalog.pg_collation AS l
                                     JOIN pg_catalog.pg_namespace AS cn ON cn.oid = l.collnamespace
                                    WHERE l.oid = a.attcollation
                                      AND NOT l.collisdeterministic), '') ORDER BY k.place) AS arrays
             FROM (SELECT i.indkey, i.indnkeyatts
                     FROM pg_catalog.pg_index AS i
                    WHERE i.indrelid = c.oid
                      AND i.indisunique
                      AND i.indimmediate
                      AND i.indisvalid
                      AND i.indpred IS NULL
                      AND i.indexprs IS NULL
                      AND NOT EXISTS (SELECT
                                        FROM pg_catalog.pg_attribute AS a
                                       WHERE a.attrelid = c.oid
                                         AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
                                         AND NOT a.attnotnull)
                    ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid
                    LIMIT 1) AS i
            CROSS JOIN LATERAL pg_catalog.unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, place)
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
       ) AS identity ON true
 ORDER BY c.oid <> $1::oid, c.oid
