-- The foreign keys that refer to a table that shall become partitioned, and the statements that take each away before
-- and make one that is possible afterwards. What is unique then has the key in it, so the foreign key must have it, too:
-- where it has not, the other table gets a copy of the key, which a trigger fills in. $1: the table's oid, $2: the key.
-- Answer: the foreign key's oid, its name, its table, whether it has the key, whether the statement is for afterwards,
-- the statement.
WITH keys AS (
        SELECT k.oid, k.conname, k.conrelid,
               k.conrelid::regclass::text AS child,
               k.confrelid::regclass::text AS parent,
               -- Before 18 no foreign key of a partitioned table can be NOT VALID; one to itself will be one of those.
               -- One that is not enforced stays so: nothing is read for it.
               NOT (k.enforced AND (k.since_18 OR (c.relkind <> 'p' AND k.conrelid <> k.confrelid))) AS at_once,
               NOT k.since_18 AND c.relkind = 'p' AND k.conrelid <> k.confrelid AS partitioned,
               n.nspname,
               c.relnamespace,
               k.enforced,
               columns.*,
               pg_catalog.row_number() OVER (PARTITION BY k.conrelid, columns.first_name ORDER BY k.oid) - 1
                   AS copies_before,
               pg_catalog.row_number() OVER (PARTITION BY c.relnamespace, pg_catalog.left(k.conname, 50)
                                             ORDER BY k.oid) - 1 AS fillers_before,
               pg_catalog.replace(pg_catalog.pg_get_constraintdef(k.oid), ' NOT VALID', '') AS definition,
               CASE k.confmatchtype WHEN 'f' THEN ' MATCH FULL' ELSE '' END
               || ' ON UPDATE CASCADE'
               || CASE k.confdeltype WHEN 'c' THEN ' ON DELETE CASCADE' WHEN 'r' THEN ' ON DELETE RESTRICT'
                                     WHEN 'n' THEN ' ON DELETE SET NULL' WHEN 'd' THEN ' ON DELETE SET DEFAULT'
                                     ELSE '' END
               || coalesce((SELECT ' (' || pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', '
                                                                 ORDER BY a.attnum) || ')'
                              FROM pg_catalog.jsonb_array_elements_text(
                                       nullif(pg_catalog.to_jsonb(k) -> 'confdelsetcols', 'null')) AS e
                              JOIN pg_catalog.pg_attribute AS a
                                ON a.attrelid = k.conrelid AND a.attnum = e::smallint), '')
               || CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
               || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END
               || CASE WHEN k.enforced THEN '' ELSE ' NOT ENFORCED' END AS rest
          FROM (SELECT k.*,
                       coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::boolean, true) AS enforced,
                       pg_catalog.current_setting('server_version_num')::integer >= 180000 AS since_18
                  FROM pg_catalog.pg_constraint AS k) AS k
          JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         CROSS JOIN LATERAL (
                   SELECT pg_catalog.bool_or(p.attname = $2::text) AS has_key,
                          pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY u.place) AS names,
                          pg_catalog.string_agg(pg_catalog.quote_ident(p.attname), ', ' ORDER BY u.place) AS parent_names,
                          pg_catalog.string_agg(pg_catalog.format('p.%I = NEW.%I', p.attname, a.attname), ' AND '
                                                ORDER BY u.place) AS of_new,
                          pg_catalog.string_agg(pg_catalog.format('p.%I = c.%I', p.attname, a.attname), ' AND '
                                                ORDER BY u.place) AS of_child,
                          pg_catalog.string_agg(pg_catalog.format('%I IS NULL', a.attname), ' OR '
                                                ORDER BY u.place) AS any_null,
                          (pg_catalog.array_agg(a.attname ORDER BY u.place))[1] AS first_name
                     FROM ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey))
                          WITH ORDINALITY AS u (child, parent, place)
                     JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.child
                     JOIN pg_catalog.pg_attribute AS p ON p.attrelid = k.confrelid AND p.attnum = u.parent
               ) AS columns
         WHERE k.confrelid = $1::oid
           AND k.contype = 'f'
           AND k.conparentid = 0),
     named AS (
        SELECT k.*,
               key.type,
               -- A name that the table's columns do not have, nor the copy for another of its foreign keys.
               (SELECT pg_catalog.quote_ident(t.name)
                  FROM (SELECT 0 AS n, pg_catalog.format('%s_%s', k.first_name, $2::text) AS name
                         UNION ALL
                        SELECT i, pg_catalog.format('%s_%s_%s', k.first_name, $2::text, i)
                          FROM pg_catalog.generate_series(2, 99) AS i) AS t
                 WHERE NOT EXISTS (SELECT
                                     FROM pg_catalog.pg_attribute AS a
                                    WHERE a.attrelid = k.conrelid
                                      AND a.attname = t.name::name)
                 ORDER BY t.n
                OFFSET k.copies_before
                 LIMIT 1) AS copy,
               -- Of the function, the trigger and the CHECK constraint.
               (SELECT pg_catalog.quote_ident(t.name)
                  FROM (SELECT 0 AS n, pg_catalog.left(k.conname, 50) || '_key' AS name
                         UNION ALL
                        SELECT i, pg_catalog.left(k.conname, 50) || '_key_' || i
                          FROM pg_catalog.generate_series(2, 99) AS i) AS t
                 WHERE NOT EXISTS (SELECT
                                     FROM pg_catalog.pg_proc AS f
                                    WHERE f.pronamespace = k.relnamespace
                                      AND f.proname = t.name::name)
                   AND NOT EXISTS (SELECT
                                     FROM pg_catalog.pg_constraint AS c
                                    WHERE c.conrelid = k.conrelid
                                      AND c.conname = t.name::name)
                 ORDER BY t.n
                OFFSET k.fillers_before
                 LIMIT 1) AS filler
          FROM keys AS k
         CROSS JOIN (SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) AS type
                       FROM pg_catalog.pg_attribute AS a
                      WHERE a.attrelid = $1::oid
                        AND a.attname = $2::text) AS key),
     made AS (
        SELECT k.*,
               pg_catalog.format('ADD CONSTRAINT %I ', k.conname)
               || CASE WHEN k.has_key THEN k.definition
                       ELSE pg_catalog.format('FOREIGN KEY (%s, %s) REFERENCES %s (%s, %I)', k.names, k.copy, k.parent,
                                              k.parent_names, $2::text) || k.rest END AS again
          FROM named AS k),
     lines AS (
        SELECT k.oid, 1 AS place, '' AS part,
               pg_catalog.format('ALTER TABLE %s ADD COLUMN %s %s;', k.child, k.copy, k.type) AS line
          FROM made AS k
         WHERE NOT k.has_key
         UNION ALL
        SELECT k.oid, 2, '',
               pg_catalog.format('CREATE FUNCTION %I.%s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET '
                                 'search_path = pg_catalog, pg_temp AS %L;', k.nspname, k.filler,
                   pg_catalog.format('BEGIN SELECT p.%I INTO NEW.%s FROM %s AS p WHERE %s; RETURN NEW; END', $2::text,
                                     k.copy, k.parent, k.of_new))
          FROM made AS k
         WHERE NOT k.has_key
         UNION ALL
        SELECT k.oid, 3, '',
               pg_catalog.format('CREATE TRIGGER %s BEFORE INSERT OR UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION '
                                 '%I.%1$s();', k.filler, k.names, k.child, k.nspname)
          FROM made AS k
         WHERE NOT k.has_key
         UNION ALL
        SELECT k.oid, 4, '',
               pg_catalog.format('UPDATE %s AS c SET %s = p.%I FROM %s AS p WHERE %s AND c.%2$s IS NULL;', k.child,
                                 k.copy, $2::text, k.parent, k.of_child)
          FROM made AS k
         WHERE NOT k.has_key
         UNION ALL
        SELECT k.oid, 5, '',
               pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s IS NOT NULL OR %s) NOT VALID;', k.child,
                                 k.filler, k.copy, k.any_null)
          FROM made AS k
         WHERE NOT k.has_key
           AND k.enforced
         UNION ALL
        SELECT k.oid, 6, '', pg_catalog.format('ALTER TABLE %s VALIDATE CONSTRAINT %s;', k.child, k.filler)
          FROM made AS k
         WHERE NOT k.has_key
           AND k.enforced
         UNION ALL
        SELECT k.oid, 7, '', pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I;', k.child, k.conname)
          FROM made AS k
         UNION ALL
        SELECT k.oid, 8, '', pg_catalog.format('ALTER TABLE %s %s NOT VALID;', k.child, k.again)
          FROM made AS k
         WHERE NOT k.at_once
         UNION ALL
        SELECT k.oid, 9, '', pg_catalog.format('ALTER TABLE %s VALIDATE CONSTRAINT %I;', k.child, k.conname)
          FROM made AS k
         WHERE NOT k.at_once
         UNION ALL
        -- Those of the partitions are taken over, so that nothing is read under the stronger lock.
        SELECT k.oid, 8, t.relid::regclass::text || v.n,
               pg_catalog.format('ALTER TABLE %s ', t.relid::regclass)
               || CASE v.n WHEN 1 THEN k.again || ' NOT VALID;'
                           ELSE pg_catalog.format('VALIDATE CONSTRAINT %I;', k.conname) END
          FROM made AS k
         CROSS JOIN LATERAL pg_catalog.pg_partition_tree(k.conrelid) AS t
         CROSS JOIN (VALUES (1), (2)) AS v (n)
         WHERE k.at_once
           AND k.partitioned
           AND t.isleaf
         UNION ALL
        SELECT k.oid, 9, '', pg_catalog.format('ALTER TABLE %s %s;', k.child, k.again)
          FROM made AS k
         WHERE k.at_once)
SELECT k.oid, k.conname, k.child, k.has_key, l.place > 7, l.line
  FROM lines AS l
  JOIN made AS k ON k.oid = l.oid
 ORDER BY k.child, k.conname, l.place, l.part
