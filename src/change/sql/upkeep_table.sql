-- How tables are to be kept: what "pgmend partition --upkeep --save" was told.
CREATE TABLE IF NOT EXISTS pgmend.upkeep (
    schema_name text        NOT NULL,
    table_name  text        NOT NULL,
    settings    jsonb       NOT NULL,
    saved_by    text        NOT NULL DEFAULT CURRENT_USER,
    saved_at    timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (schema_name, table_name)
)
