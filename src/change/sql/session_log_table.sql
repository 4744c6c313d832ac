-- Sessions that pgmend cancelled or ended: who, why, and what became of it. Beside the Ledger's tables, made
-- by the first of them.
CREATE TABLE IF NOT EXISTS pgmend.session_end (
    id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action           text        NOT NULL CHECK (action IN ('cancel', 'terminate')),
    why              text        NOT NULL,
    pid              integer     NOT NULL,
    backend_start    timestamptz,
    backend_type     text,
    database_name    text,
    user_name        text,
    application_name text,
    client           text,
    state            text,
    query            text,
    asked_by         text        NOT NULL DEFAULT SESSION_USER,
    asked_at         timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    finished_at      timestamptz,
    outcome          text,
    message          text
);
COMMENT ON TABLE pgmend.session_end IS 'Sessions that pgmend cancelled or ended; queries without their values'
