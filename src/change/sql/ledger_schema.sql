-- The Ledger: what pgmend did to this database, and how to take it back. Made by the first apply (or by
-- verify), in one transaction. Nothing here is needed by the application; "pgmend history --drop-ledger"
-- removes it.
CREATE SCHEMA IF NOT EXISTS pgmend;

CREATE TABLE pgmend.ledger (
    version     integer     NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE pgmend.ledger IS 'Version of these tables (one row)';

-- One row for each time that a Plan was applied: after a rollback, the same Plan gets a new row.
CREATE TABLE pgmend.plan (
    seq         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          text        NOT NULL CHECK (id OPERATOR(pg_catalog.~) '^[0-9a-f]{12}$'),
    title       text        NOT NULL,
    path        text,
    source      text        NOT NULL,
    state       text        NOT NULL CHECK (state IN ('running', 'done', 'failed', 'canceled', 'undoing', 'undone')),
    applied_by  text        NOT NULL DEFAULT CURRENT_USER,
    program     text        NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    finished_at timestamptz,
    error       text
);
CREATE UNIQUE INDEX plan_open_key ON pgmend.plan (id) WHERE state OPERATOR(pg_catalog.<>) 'undone';
COMMENT ON TABLE pgmend.plan IS 'Plans that were applied, with the whole text of their files';

-- One row for each step. state is what was meant (running, undoing) or became of it; what is true stands in
-- the catalogs. pid and backend_start name the session that did, or still does, the work.
CREATE TABLE pgmend.change (
    plan_seq      bigint      NOT NULL REFERENCES pgmend.plan ON DELETE CASCADE,
    step          integer     NOT NULL,
    kind          text        NOT NULL,
    title         text        NOT NULL,
    state         text        NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'running', 'done',
                                  'failed', 'canceled', 'undoing', 'undone', 'kept')),
    attempt       integer     NOT NULL DEFAULT 0,
    pid           integer,
    backend_start timestamptz,
    started_at    timestamptz,
    finished_at   timestamptz,
    size_bytes    bigint,
    note          text,
    undo_sql      text,
    error         text,
    PRIMARY KEY (plan_seq, step)
);
COMMENT ON TABLE pgmend.change IS 'The steps of each Plan: state, times, and how to take them back';

-- Each index that a step makes; the row is written before the index is. Only these are ever dropped.
CREATE TABLE pgmend.made (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_seq     bigint      NOT NULL,
    step         integer     NOT NULL,
    schema_name  text        NOT NULL,
    index_name   text        NOT NULL,
    relation_oid oid         NOT NULL,
    index_oid    oid,
    state        text        NOT NULL DEFAULT 'meant' CHECK (state IN ('meant', 'made', 'dropped')),
    meant_at     timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    FOREIGN KEY (plan_seq, step) REFERENCES pgmend.change ON DELETE CASCADE
);
COMMENT ON TABLE pgmend.made IS 'Indexes that pgmend made, or was about to make';

CREATE TABLE pgmend.measurement (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id      text        NOT NULL,
    phase        text        NOT NULL,
    statement_id text        NOT NULL,
    data         jsonb       NOT NULL,
    captured_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
CREATE INDEX measurement_plan_idx ON pgmend.measurement (plan_id, phase, statement_id, id);
COMMENT ON TABLE pgmend.measurement IS 'What verify measured before and after a Plan';

INSERT INTO pgmend.ledger (version) VALUES (1);
