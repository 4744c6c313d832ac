-- server: autovacuum=off
-- server: track_counts=off
-- expect: autovacuum_off:autovacuum
-- expect: autovacuum_off:track_counts
SELECT 1;
