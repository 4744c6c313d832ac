-- Tables to judge index size estimates on: users, posts and comments as a small social application has
-- them, and items, whose column types the estimates were not tuned on (the hold-out).
--
-- Everything is computed from the row number, so each load gives the same rows: no random().
-- Load into an empty database; half a minute on two cores:
--	createdb shapes && psql -X -v ON_ERROR_STOP=1 -d shapes -f bench/size_shapes.sql
-- The indexes to judge are in size_shapes_indexes.sql.

-- A number in [0, 1) that looks random: the hash of a row number and of the column's own seed.
CREATE FUNCTION pg_temp.u(i bigint, seed bigint)
RETURNS double precision
LANGUAGE sql IMMUTABLE
AS 'SELECT (pg_catalog.hashint8extended(i, seed) & 4294967295) / 4294967296.0::double precision';

CREATE TABLE users (
	id bigint NOT NULL,
	email text NOT NULL,
	status text NOT NULL,
	created_at timestamptz NOT NULL,
	deleted_at timestamptz
);

INSERT INTO users
SELECT
	i,
	'user' || i || '@' || (ARRAY['example.com', 'mail.test', 'corp.invalid'])[1 + i % 3],
	CASE
		WHEN pg_temp.u(i, 1) < 0.90 THEN 'active'
		WHEN pg_temp.u(i, 1) < 0.97 THEN 'pending'
		ELSE 'suspended'
	END,
	timestamptz '2020-01-01 00:00:00+00' + i * interval '13 minutes',
	CASE WHEN pg_temp.u(i, 2) < 0.03
		THEN timestamptz '2024-01-01 00:00:00+00' + pg_temp.u(i, 3) * interval '500 days'
	END
FROM pg_catalog.generate_series(1, 200000) AS i;

-- A few users write most posts (the cube of a uniform number); rows arrive in order of time.
CREATE TABLE posts (
	id bigint NOT NULL,
	user_id bigint NOT NULL,
	status text NOT NULL,
	title text NOT NULL,
	created_at timestamptz NOT NULL
);

INSERT INTO posts
SELECT
	i,
	1 + pg_catalog.floor(200000 * pg_temp.u(i, 4) ^ 3),
	CASE
		WHEN pg_temp.u(i, 5) < 0.70 THEN 'published'
		WHEN pg_temp.u(i, 5) < 0.90 THEN 'draft'
		WHEN pg_temp.u(i, 5) < 0.98 THEN 'archived'
		ELSE 'flagged'
	END,
	'Post ' || pg_catalog.left(pg_catalog.md5(i::text), 15 + (20 * pg_temp.u(i, 6))::integer),
	timestamptz '2021-01-01 00:00:00+00' + i * interval '97 seconds' + pg_temp.u(i, 7) * interval '90 seconds'
FROM pg_catalog.generate_series(1, 1000000) AS i;

CREATE TABLE comments (
	id bigint NOT NULL,
	post_id bigint NOT NULL,
	user_id bigint NOT NULL,
	created_at timestamptz NOT NULL,
	body text NOT NULL
);

INSERT INTO comments
SELECT
	i,
	1 + pg_catalog.floor(1000000 * pg_temp.u(i, 8)),
	1 + pg_catalog.floor(200000 * pg_temp.u(i, 9) ^ 3),
	timestamptz '2021-01-01 00:00:00+00' + i * interval '48 seconds' + pg_temp.u(i, 10) * interval '40 seconds',
	pg_catalog.md5((-i)::text)
FROM pg_catalog.generate_series(1, 2000000) AS i;

-- The hold-out: do not fit the model to this one.
CREATE TABLE items (
	id bigint NOT NULL,
	public_id uuid NOT NULL,
	account_id integer NOT NULL,
	price numeric(12, 2) NOT NULL,
	meta jsonb NOT NULL,
	is_active boolean NOT NULL,
	body text NOT NULL,
	parent_id bigint,
	reviewer_id integer,
	reviewed_at timestamptz,
	happened_at timestamptz NOT NULL,
	grade smallint NOT NULL,
	flag character(1) NOT NULL
);

INSERT INTO items
SELECT
	i,
	pg_catalog.md5('item' || i)::uuid,
	1 + pg_catalog.floor(20000 * pg_temp.u(i, 11) ^ 2),
	pg_catalog.round((1 + 99999 * pg_temp.u(i, 12) ^ 4)::numeric, 2),
	pg_catalog.jsonb_build_object(
		'k', 'key-' || pg_catalog.floor(50000 * pg_temp.u(i, 13) ^ 2),
		'n', i % 17
	),
	pg_temp.u(i, 14) < 0.8,
	pg_catalog.left(
		pg_catalog.md5(i || 'a') || pg_catalog.md5(i || 'b') || pg_catalog.md5(i || 'c')
			|| pg_catalog.md5(i || 'd') || pg_catalog.md5(i || 'e') || pg_catalog.md5(i || 'f')
			|| pg_catalog.md5(i || 'g') || pg_catalog.md5(i || 'h'),
		30 + (220 * pg_temp.u(i, 15))::integer
	),
	CASE WHEN pg_temp.u(i, 16) < 0.35 THEN 1 + pg_catalog.floor(500000 * pg_temp.u(i, 17)) END,
	CASE WHEN pg_temp.u(i, 18) < 0.20 THEN 1 + pg_catalog.floor(300 * pg_temp.u(i, 19)) END,
	CASE WHEN pg_temp.u(i, 18) < 0.20
		THEN timestamptz '2023-01-01 00:00:00+00' + pg_temp.u(i, 20) * interval '700 days'
	END,
	timestamptz '2022-01-01 00:00:00+00' + pg_temp.u(i, 21) * interval '1000 days',
	(100 * pg_temp.u(i, 22) ^ 2)::smallint,
	(ARRAY['A', 'B', 'C', 'D', 'E'])[1 + (4.99 * pg_temp.u(i, 23) ^ 2)::integer % 5]
FROM pg_catalog.generate_series(1, 500000) AS i;

VACUUM ANALYZE users;
VACUUM ANALYZE posts;
VACUUM ANALYZE comments;
VACUUM ANALYZE items;
