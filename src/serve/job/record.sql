-- The record of serve's jobs, and the audit list. The file is one process's: a second one is refused.
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA journal_size_limit = 16777216;

BEGIN IMMEDIATE;

CREATE TABLE IF NOT EXISTS job (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    database        TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    title           TEXT    NOT NULL,
    command         TEXT    NOT NULL, -- the arguments, as a JSON array
    who             TEXT    NOT NULL,
    role            TEXT    NOT NULL,
    idempotency_key TEXT,
    plan            TEXT,
    state           TEXT    NOT NULL,
    created_at      TEXT    NOT NULL,
    started_at      TEXT,
    finished_at     TEXT,
    error           TEXT,
    hint            TEXT,
    resumed_by      TEXT,             -- the job that went on with it
    changes         INTEGER NOT NULL,
    resumable       INTEGER NOT NULL,
    limit_ms        INTEGER NOT NULL,
    exit_code       INTEGER NOT NULL, -- -1: none
    result          TEXT              -- what it printed
);
CREATE UNIQUE INDEX IF NOT EXISTS job_key ON job (who, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS job_database ON job (database, seq);

CREATE TABLE IF NOT EXISTS audit (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    at       TEXT NOT NULL,
    who      TEXT,
    role     TEXT,
    action   TEXT NOT NULL,
    database TEXT,
    job      TEXT,
    detail   TEXT
);

-- What other parts keep here: when a chore ran last.
CREATE TABLE IF NOT EXISTS note (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- What was under way when serve ended: the children ended with it.
UPDATE job
   SET state = 'interrupted',
       error = 'pgmend serve ended while this was under way',
       finished_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
 WHERE state IN ('queued', 'running');

COMMIT;
