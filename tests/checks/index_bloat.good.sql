-- Indexes as they were built: alignment between columns, deduplicated entries, NULLs, few distinct keys.
-- threshold: index_bloat.min_bytes=100000
CREATE TABLE g01 (id int PRIMARY KEY); INSERT INTO g01 SELECT generate_series(1, 60000);
CREATE TABLE g02 (a int4, b int8, c int4); CREATE INDEX g02_abc ON g02 (a, b, c);
INSERT INTO g02 SELECT g, g, g FROM generate_series(1, 40000) g;
CREATE TABLE g03 (x int); CREATE INDEX g03_x ON g03 (x);
INSERT INTO g03 SELECT g % 5 FROM generate_series(1, 100000) g;
CREATE TABLE g04 (t text, b bool, u uuid); CREATE INDEX g04_t ON g04 (t, b, u);
INSERT INTO g04 SELECT repeat('x', g % 40) || g, g % 2 = 0, md5(g::text)::uuid
FROM generate_series(1, 40000) g;
CREATE TABLE g05 (x int8); CREATE INDEX g05_x ON g05 (x);
INSERT INTO g05 SELECT CASE WHEN g % 3 = 0 THEN g END FROM generate_series(1, 100000) g;
CREATE TABLE g06 (t text); INSERT INTO g06 SELECT md5(g::text) FROM generate_series(1, 40000) g;
CREATE INDEX g06_t ON g06 (t) WITH (fillfactor = 50);
CREATE INDEX g06_lower ON g06 (lower(t));
REINDEX TABLE g04;
VACUUM ANALYZE g01, g02, g03, g04, g05, g06;
