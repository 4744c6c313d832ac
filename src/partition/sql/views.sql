-- The plain views that read a table, with the SQL that makes each anew. $1: its oid.
SELECT DISTINCT n.nspname, v.relname,
       pg_catalog.format('CREATE OR REPLACE VIEW %I.%I%s AS %s', n.nspname, v.relname,
           (SELECT ' WITH (' || pg_catalog.string_agg(pg_catalog.format('%s=%L', o.option_name, o.option_value), ', ')
                   || ')'
              FROM pg_catalog.pg_options_to_table(v.reloptions) AS o),
           pg_catalog.rtrim(pg_catalog.pg_get_viewdef(v.oid), ';')),
       pg_catalog.pg_has_role(v.relowner, 'USAGE')
  FROM pg_catalog.pg_depend AS d
  JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid
  JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class AND v.relkind = 'v'
  JOIN pg_catalog.pg_namespace AS n ON n.oid = v.relnamespace
 WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
   AND d.refobjid = $1::oid
 ORDER BY 1, 2
