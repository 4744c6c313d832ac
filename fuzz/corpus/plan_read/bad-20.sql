-- migrate:up
-- pgmend:change {"kind":"x"}
SELECT 1;