-- 400,000 messages (36 % deleted), 200,000 posts (27 % deleted) and 120,000 comments at scale 1.
-- Referential integrity holds by construction, so the row-by-row checks are skipped.
SET session_replication_role = replica;

CREATE OR REPLACE FUNCTION pg_temp.u(i bigint, seed bigint) RETURNS float8 LANGUAGE sql IMMUTABLE
AS 'SELECT (pg_catalog.hashint8extended(i, seed) & 4294967295)::float8 / 4294967296.0';

WITH s AS MATERIALIZED (SELECT current_setting('pgmend.now')::timestamptz AS now)
INSERT INTO social.users (username, email, display_name, bio, last_seen_at, created_at)
SELECT 'user_' || i,
	'user_' || i || '@example.net',
	(ARRAY['Kai', 'Noor', 'Elif', 'Tom', 'Ines'])[1 + i % 5] || ' ' || i,
	CASE WHEN pg_temp.u(i, 301) < 0.5 THEN 'Coffee, mountains, and too many unread books.' END,
	s.now - interval '30 days' * power(pg_temp.u(i, 302), 2),
	s.now - interval '2 hours' * (8000 - i) - interval '365 days'
FROM s, generate_series(1, 8000) AS i;

WITH s AS MATERIALIZED (
	SELECT greatest(2000, round(400000 * current_setting('pgmend.scale')::float8))::bigint AS n,
		current_setting('pgmend.now')::timestamptz AS now
), m AS (
	SELECT i, s.now, pg_temp.u(i, 311) AS a, pg_temp.u(i, 312) AS b,
		s.now - interval '365 days' * power((s.n - i + pg_temp.u(i, 313)) / s.n, 2) AS created_at
	FROM s, generate_series(1, s.n) AS i
)
INSERT INTO social.messages (sender_id, recipient_id, body, attachment_url, is_read, created_at, updated_at,
	deleted_at)
SELECT 1 + floor(8000 * power(pg_temp.u(i, 314), 2))::int,
	1 + floor(8000 * power(pg_temp.u(i, 315), 2))::int,
	(ARRAY['Are you coming tonight?', 'See you at eight, same place as last time.', 'Ha, that is great!',
		'Could you send me the photos from the weekend when you have a minute?', 'ok'])
		[1 + floor(5 * a)::int]
		|| CASE WHEN b < 0.4 THEN ' By the way, I found the book that you were looking for.'
			ELSE '' END,
	CASE WHEN b > 0.95 THEN 'https://cdn.example.net/a/' || i || '.jpg' END,
	pg_temp.u(i, 316) < 0.9,
	created_at,
	created_at,
	CASE WHEN pg_temp.u(i, 317) < 0.36 THEN created_at + (now - created_at) * a END
FROM m;

WITH s AS MATERIALIZED (
	SELECT greatest(1000, round(200000 * current_setting('pgmend.scale')::float8))::bigint AS n,
		current_setting('pgmend.now')::timestamptz AS now
), p AS (
	SELECT i, s.now, pg_temp.u(i, 321) AS a, pg_temp.u(i, 322) AS b,
		s.now - interval '365 days' * power((s.n - i + pg_temp.u(i, 323)) / s.n, 2) AS created_at
	FROM s, generate_series(1, s.n) AS i
)
INSERT INTO social.posts (user_id, body, visibility, like_count, created_at, updated_at, deleted_at)
SELECT 1 + floor(8000 * power(pg_temp.u(i, 324), 2))::int,
	(ARRAY['Morning run along the river, the light was unreal.', 'Does anyone know a good bakery nearby?',
		'New blog entry: what I learned from a year of gardening on a tiny balcony.',
		'We shipped it!'])[1 + floor(4 * a)::int]
		|| CASE WHEN b < 0.5 THEN ' Thanks to everyone who helped, you know who you are. #thankful'
			ELSE '' END,
	CASE WHEN b < 0.8 THEN 'public' WHEN b < 0.95 THEN 'friends' ELSE 'private' END,
	floor(500 * power(a, 6))::int,
	created_at,
	created_at,
	CASE WHEN pg_temp.u(i, 325) < 0.27 THEN created_at + (now - created_at) * a END
FROM p;

WITH s AS MATERIALIZED (
	SELECT greatest(1000, round(120000 * current_setting('pgmend.scale')::float8))::bigint AS n,
		greatest(1000, round(200000 * current_setting('pgmend.scale')::float8))::bigint AS posts,
		current_setting('pgmend.now')::timestamptz AS now
)
INSERT INTO social.comments (post_id, user_id, body, created_at)
SELECT 1 + floor(s.posts * power(pg_temp.u(i, 331), 2))::bigint,
	1 + floor(8000 * power(pg_temp.u(i, 332), 2))::int,
	(ARRAY['Love this!', 'Congratulations, well deserved after all that work.', 'Same here.',
		'Where was this taken? It looks like the old harbour.'])
		[1 + floor(4 * pg_temp.u(i, 333))::int],
	s.now - interval '365 days' * power((s.n - i + 0.5) / s.n, 2)
FROM s, generate_series(1, s.n) AS i;

RESET session_replication_role;
