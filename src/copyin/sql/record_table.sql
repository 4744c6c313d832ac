-- How far files are loaded: written by "pgmend copy-in" in the transaction of the rows, so that a load that
-- was stopped goes on exactly behind the last row that is there. Beside the Ledger's tables.
CREATE TABLE IF NOT EXISTS pgmend.copy_in (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relation      oid         NOT NULL,
    table_name    text        NOT NULL,
    file          text        NOT NULL,
    size_bytes    bigint      NOT NULL,
    head_sha256   text        NOT NULL,
    how           text        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('running', 'done')),
    position      bigint      NOT NULL,
    line          bigint      NOT NULL,
    rows          bigint      NOT NULL DEFAULT 0,
    rejected      bigint      NOT NULL DEFAULT 0,
    reject_bytes  bigint      NOT NULL DEFAULT 0,
    reason_bytes  bigint      NOT NULL DEFAULT 0,
    loaded_by     text        NOT NULL DEFAULT SESSION_USER,
    started_at    timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    updated_at    timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
) WITH (fillfactor = 50);
CREATE INDEX IF NOT EXISTS copy_in_file_idx ON pgmend.copy_in (head_sha256, relation, id);
COMMENT ON TABLE pgmend.copy_in IS 'How far files are loaded by copy-in; rows that say done can be deleted'
