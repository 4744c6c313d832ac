-- two things
-- pgmend:plan {"version":1,"title":"two things","database":"shop","created_at":"2025-01-02T03:04:05Z"}

-- migrate:up transaction:false

-- Step 1: create index
-- deletes cost 91 ms
-- pgmend:change {"step":1,"kind":"create_index","title":"t","schema":"public","relation":"o","index":"i","lock":"x","size_bytes":12,"build_ms":1.5,"write_overhead":0.1}
CREATE INDEX CONCURRENTLY i ON public.o USING gin (lower(a) DESC) INCLUDE (b) WHERE c > 1;
-- pgmend:statement {"id":"0123456789abcdef","text":"SELECT $1","sql":"SELECT 1","calls":4.0,"cost_before":1.0,"cost_after":-1.0,"reads":true,"indexes":["i"]}

-- migrate:down transaction:false

-- pgmend:undo {"step":1}
DROP INDEX CONCURRENTLY public.i;
