-- Few of them.
-- server: checkpoint_timeout=1h
CHECKPOINT;
CHECKPOINT;
