-- expect: checkpoints_requested:server
-- server: checkpoint_timeout=1h
SELECT 'CHECKPOINT' FROM generate_series(1, 14) \gexec
