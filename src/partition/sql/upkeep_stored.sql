-- What was stored by --save.
SELECT u.schema_name, u.table_name, u.settings ->> 'interval', u.settings ->> 'premake', u.settings ->> 'retention',
       u.settings ->> 'retention_action', u.settings ->> 'retention_schema', u.settings ->> 'archive_dir',
       u.settings ->> 'timezone'
  FROM pgmend.upkeep AS u
