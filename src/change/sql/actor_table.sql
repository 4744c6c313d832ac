-- Who asked for a run of a Plan by pgmend serve: the name of a token, where the Ledger's applied_by is the
-- role that serve connects as. Beside the Ledger's tables, made by the first such run.
CREATE TABLE IF NOT EXISTS pgmend.actor (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_seq bigint      NOT NULL REFERENCES pgmend.plan ON DELETE CASCADE,
    action   text        NOT NULL CHECK (action IN ('apply', 'rollback')),
    actor    text        NOT NULL,
    role     text        NOT NULL DEFAULT CURRENT_USER,
    at       timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE pgmend.actor IS 'Who asked pgmend serve for a run: the name of a token'
