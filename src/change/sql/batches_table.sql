-- How far the steps are that are done in batches: one row a step, written in the transaction of each batch.
CREATE TABLE IF NOT EXISTS pgmend.batches (
    plan_seq    bigint           NOT NULL,
    step        integer          NOT NULL,
    cursor      text,
    size        bigint           NOT NULL,
    batches     bigint           NOT NULL DEFAULT 0,
    rows        bigint           NOT NULL DEFAULT 0,
    kept        bigint           NOT NULL DEFAULT 0,
    work_ms     double precision NOT NULL DEFAULT 0,
    longest_ms  double precision NOT NULL DEFAULT 0,
    paused      boolean          NOT NULL DEFAULT false,
    PRIMARY KEY (plan_seq, step),
    FOREIGN KEY (plan_seq, step) REFERENCES pgmend.change ON DELETE CASCADE
) WITH (fillfactor = 50);
COMMENT ON TABLE pgmend.batches IS 'How far steps in batches are; set paused to let one rest';
