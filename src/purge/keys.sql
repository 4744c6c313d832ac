-- The foreign keys that reference one of the tables $1 (an array of oids), with what a delete does by them.
SELECT c.oid, c.conname, c.conrelid, c.confrelid, c.confdeltype,
       child.nspname, child.relname, child.relkind,
       columns.names, columns.parent_names, columns.operators,
       coalesce((pg_catalog.to_jsonb(c) ->> 'conperiod')::boolean, false) AS period,
       c.confmatchtype, c.condeferrable,
       -- SET NULL and SET DEFAULT: the columns that are set
       coalesce((SELECT pg_catalog.array_agg(a.attname ORDER BY a.attnum)
                   FROM pg_catalog.pg_attribute AS a
                  WHERE a.attrelid = c.conrelid
                    AND a.attnum = ANY (setting.attnums)), '{}') AS set_names,
       (SELECT pg_catalog.string_agg(w.why, '; ')
          FROM (SELECT pg_catalog.format('column %I is NOT NULL', a.attname) AS why
                  FROM pg_catalog.pg_attribute AS a
                  JOIN pg_catalog.pg_type AS ty ON ty.oid = a.atttypid
                 WHERE a.attrelid = c.conrelid
                   AND a.attnum = ANY (setting.attnums)
                   AND (a.attnotnull OR ty.typtype = 'd')
                 UNION ALL
                SELECT pg_catalog.format('constraint %I is about it', k.conname)
                  FROM pg_catalog.pg_constraint AS k
                 WHERE k.conrelid = c.conrelid
                   AND k.contype IN ('c', 'u', 'x', 'p')
                   AND k.conkey && setting.attnums
                 UNION ALL
                SELECT pg_catalog.format('index %s is about it', i.indexrelid::regclass)
                  FROM pg_catalog.pg_index AS i
                 WHERE i.indrelid = c.conrelid
                   AND i.indisunique
                   AND (i.indkey::smallint[] && setting.attnums OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
                 UNION ALL
                SELECT pg_catalog.format('foreign key %I has it too', k.conname)
                  FROM pg_catalog.pg_constraint AS k
                 WHERE k.contype = 'f'
                   AND k.oid <> c.oid
                   AND k.conparentid <> c.oid
                   AND c.conparentid <> k.oid
                   AND ((k.conrelid = c.conrelid AND k.conkey && setting.attnums)
                        OR (k.confrelid = c.conrelid AND k.confkey && setting.attnums))
                 UNION ALL
                SELECT pg_catalog.format('trigger %I is fired', g.tgname)
                  FROM pg_catalog.pg_trigger AS g
                 WHERE g.tgrelid = c.conrelid
                   AND NOT g.tgisinternal
                   AND g.tgtype & 16 <> 0
                   AND g.tgtype & 3 = 3
                   AND g.tgenabled <> 'D'
                 UNION ALL
                SELECT pg_catalog.format('rule %I is about updates', r.rulename)
                  FROM pg_catalog.pg_rewrite AS r
                 WHERE r.ev_class = c.conrelid
                   AND r.ev_type = '2'
                 UNION ALL
                SELECT 'the table is partitioned by it'
                  FROM pg_catalog.pg_partitioned_table AS p
                 WHERE p.partrelid = c.conrelid
                   AND (p.partattrs::smallint[] && setting.attnums OR 0 = ANY (p.partattrs::smallint[]))
                 UNION ALL
                SELECT 'it is published with its updates and has no replica identity'
                  FROM pg_catalog.pg_class AS r
                 WHERE r.oid = c.conrelid
                   AND r.relkind = 'r'
                   AND r.relreplident IN ('n', 'd')
                   AND NOT (r.relreplident = 'd'
                            AND EXISTS (SELECT
                                          FROM pg_catalog.pg_index AS i
                                         WHERE i.indrelid = r.oid
                                           AND i.indisprimary))
                   AND EXISTS (SELECT
                                 FROM pg_catalog.pg_publication AS pub
                                 JOIN pg_catalog.pg_publication_tables AS v ON v.pubname = pub.pubname
                                WHERE pub.pubupdate
                                  AND v.schemaname = child.nspname
                                  AND v.tablename = child.relname)
                 UNION ALL
                SELECT 'the key is MATCH FULL'
                 WHERE c.confmatchtype = 'f'
                   AND setting.attnums <> c.conkey
               ) AS w) AS set_problem,
       pg_catalog.has_table_privilege(c.conrelid, 'SELECT') AS may_select,
       pg_catalog.has_any_column_privilege(c.conrelid, 'UPDATE') AS may_update,
       pg_catalog.has_table_privilege(c.conrelid, 'DELETE') AS may_delete,
       pg_catalog.row_security_active(c.conrelid) AS row_security,
       EXISTS (SELECT
                 FROM pg_catalog.pg_trigger AS g
                WHERE g.tgconstraint = c.oid
                  AND g.tgrelid = c.confrelid
                  AND g.tgtype & 8 <> 0
                  AND g.tgenabled NOT IN ('O', 'A')) AS disabled,
       EXISTS (SELECT
                 FROM pg_catalog.pg_index AS i
                 JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
                 JOIN pg_catalog.pg_am AS am ON am.oid = ic.relam
                WHERE i.indrelid = c.conrelid
                  AND i.indisvalid
                  AND i.indpred IS NULL
                  AND am.amname IN ('btree', 'hash')
                  AND i.indnkeyatts >= pg_catalog.cardinality(c.conkey)
                  AND (i.indkey::smallint[])[0:pg_catalog.cardinality(c.conkey) - 1] <@ c.conkey
                  AND (i.indkey::smallint[])[0:pg_catalog.cardinality(c.conkey) - 1] @> c.conkey) AS indexed,
       figures.tuples, figures.pages, figures.index_pages,
       EXISTS (SELECT
                 FROM pg_catalog.pg_trigger AS g
                WHERE g.tgrelid = c.conrelid
                  AND NOT g.tgisinternal
                  AND g.tgtype & 24 <> 0
                  AND g.tgenabled <> 'D') AS triggers,
       greatest(figures.tuples * (1 - coalesce(st.stanullfrac, 0)), 0)
           / greatest(CASE WHEN st.stadistinct < 0 THEN -st.stadistinct * figures.tuples
                           ELSE coalesce(nullif(st.stadistinct, 0), figures.tuples / 10) END, 1) AS average,
       -- The most rows that one parent has: from the most common value.
       coalesce(figures.tuples * common.most, 0) AS most,
       columns.parent_arrays, columns.plain
  FROM pg_catalog.pg_constraint AS c
  LEFT JOIN pg_catalog.pg_constraint AS up ON up.oid = c.conparentid
  JOIN LATERAL (SELECT n.nspname, r.relname, r.relkind
                  FROM pg_catalog.pg_class AS r
                  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
                 WHERE r.oid = c.conrelid) AS child ON true
 CROSS JOIN LATERAL (
           SELECT pg_catalog.array_agg(a.attname ORDER BY p.place) AS names,
                  pg_catalog.array_agg(b.attname ORDER BY p.place) AS parent_names,
                  pg_catalog.array_agg(CASE WHEN opn.nspname = 'pg_catalog' THEN o.oprname::text
                                            ELSE pg_catalog.format('OPERATOR(%I.%s)', opn.nspname, o.oprname)
                                       END ORDER BY p.place) AS operators,
                  -- A collation decides about equality only where it is not deterministic (as for the key itself).
                  pg_catalog.array_agg(pg_catalog.format_type(b.atttypid, b.atttypmod) || '[]'
                      || coalesce((SELECT pg_catalog.format(' COLLATE %I.%I', cn.nspname, l.collname)
                                     FROM pg_catalog.pg_collation AS l
                                     JOIN pg_catalog.pg_namespace AS cn ON cn.oid = l.collnamespace
                                    WHERE l.oid = b.attcollation
                                      AND NOT l.collisdeterministic), '') ORDER BY p.place) AS parent_arrays,
                  count(*) = 1
                  AND pg_catalog.bool_and(opn.nspname = 'pg_catalog'
                                          AND o.oprname = '='
                                          AND (a.atttypid = b.atttypid
                                               OR (a.atttypid IN (20, 21, 23) AND b.atttypid IN (20, 21, 23)))) AS plain
             FROM ROWS FROM (pg_catalog.unnest(c.conkey), pg_catalog.unnest(c.confkey),
                             pg_catalog.unnest(c.conpfeqop)) WITH ORDINALITY AS p (child, parent, operator, place)
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = p.child
             JOIN pg_catalog.pg_attribute AS b ON b.attrelid = c.confrelid AND b.attnum = p.parent
             LEFT JOIN pg_catalog.pg_operator AS o ON o.oid = p.operator
             LEFT JOIN pg_catalog.pg_namespace AS opn ON opn.oid = o.oprnamespace
       ) AS columns
 CROSS JOIN LATERAL (
           SELECT coalesce((SELECT pg_catalog.array_agg(e::smallint)
                              FROM pg_catalog.jsonb_array_elements_text(
                                       nullif(pg_catalog.to_jsonb(c) -> 'confdelsetcols', 'null')) AS e),
                           c.conkey) AS attnums
       ) AS setting
 CROSS JOIN LATERAL (
           SELECT pg_catalog.sum(greatest(r.reltuples, 0)) AS tuples,
                  pg_catalog.sum(r.relpages) AS pages,
                  pg_catalog.sum(coalesce((SELECT pg_catalog.sum(ic.relpages)
                                             FROM pg_catalog.pg_index AS i
                                             JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
                                            WHERE i.indrelid = r.oid), 0)) AS index_pages
             FROM pg_catalog.pg_class AS r
            WHERE r.oid = c.conrelid
               OR (child.relkind = 'p'
                   AND r.oid IN (SELECT t.relid FROM pg_catalog.pg_partition_tree(c.conrelid) AS t))
       ) AS figures
  LEFT JOIN LATERAL (
           SELECT s.null_frac AS stanullfrac, s.n_distinct AS stadistinct, s.most_common_freqs
             FROM pg_catalog.pg_stats AS s
            WHERE s.schemaname = child.nspname
              AND s.tablename = child.relname
              AND s.attname = columns.names[1]
            ORDER BY s.inherited DESC
            LIMIT 1
       ) AS st ON true
 CROSS JOIN LATERAL (
           SELECT pg_catalog.max(f) AS most FROM pg_catalog.unnest(st.most_common_freqs) AS f
       ) AS common
 WHERE c.contype = 'f'
   AND c.confrelid = ANY ($1::oid[])
   AND coalesce((pg_catalog.to_jsonb(c) ->> 'conenforced')::boolean, true)
   AND (up.oid IS NULL OR up.confrelid <> c.confrelid)
 ORDER BY child.nspname, child.relname, c.conname, c.oid
