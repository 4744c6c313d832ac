-- 100,000 users, and at scale 1 400,000 messages, 200,000 food entries and 120,000 reminders.
-- Referential integrity holds by construction, so the row-by-row checks are skipped.
SET session_replication_role = replica;

CREATE OR REPLACE FUNCTION pg_temp.u(i bigint, seed bigint) RETURNS float8 LANGUAGE sql IMMUTABLE
AS 'SELECT (pg_catalog.hashint8extended(i, seed) & 4294967295)::float8 / 4294967296.0';

WITH s AS MATERIALIZED (SELECT current_setting('pgmend.now')::timestamptz AS now)
INSERT INTO health.users (telegram_id, email, username, first_name, language_code, timezone, height_cm,
	weight_kg, goals, last_active_at, created_at)
SELECT 7000000000 + i,
	'member' || i || '@example.org',
	CASE WHEN pg_temp.u(i, 201) < 0.7 THEN 'handle_' || i END,
	(ARRAY['Mina', 'Jonas', 'Priya', 'Sam', 'Lucia', 'Omar', 'Yuki'])[1 + i % 7],
	(ARRAY['en', 'ru', 'de', 'es'])[1 + floor(4 * power(pg_temp.u(i, 202), 2))::int],
	(ARRAY['UTC', 'Europe/Berlin', 'Asia/Tbilisi', 'America/Lima'])
		[1 + floor(4 * pg_temp.u(i, 203))::int],
	150 + floor(50 * pg_temp.u(i, 204))::int,
	50 + round((60 * pg_temp.u(i, 205))::numeric, 1),
	jsonb_build_object('daily_calories', 1600 + 50 * (i % 20), 'water_ml', 2000),
	s.now - interval '120 days' * power(pg_temp.u(i, 206), 2),
	s.now - interval '10 minutes' * (100000 - i)
FROM s, generate_series(1, 100000) AS i;

WITH s AS MATERIALIZED (SELECT current_setting('pgmend.now')::timestamptz AS now)
INSERT INTO health.subscriptions (user_id, plan, status, started_at, expires_at)
SELECT i,
	CASE WHEN i % 10 = 0 THEN 'yearly' ELSE 'monthly' END,
	CASE WHEN pg_temp.u(i, 211) < 0.6 THEN 'active' WHEN pg_temp.u(i, 211) < 0.9 THEN 'expired'
		ELSE 'cancelled' END,
	s.now - interval '20 days' - interval '10 days' * pg_temp.u(i, 212),
	s.now + interval '10 days' * (CASE WHEN pg_temp.u(i, 211) < 0.6 THEN 1 ELSE -1 END)
FROM s, generate_series(1, 100000) AS i
WHERE i % 10 <> 0;

WITH s AS MATERIALIZED (
	SELECT greatest(2000, round(400000 * current_setting('pgmend.scale')::float8))::bigint AS n,
		current_setting('pgmend.now')::timestamptz AS now
), c AS (
	-- A question and its answer are two rows that follow each other.
	SELECT i, (i + 1) / 2 AS turn, i % 2 = 1 AS asked, pg_temp.u(i, 221) AS a, pg_temp.u(i, 222) AS b,
		pg_temp.u((i + 1) / 2, 223) AS kind,
		s.now - interval '365 days' * power((s.n - i + 0.5) / s.n, 2) AS created_at
	FROM s, generate_series(1, s.n) AS i
)
INSERT INTO health.conversation_history (user_id, role, content, message_type, metadata, tokens_used,
	created_at)
SELECT 1 + floor(20000 * power(pg_temp.u(turn, 224), 2))::int,
	CASE WHEN asked THEN 'user' ELSE 'assistant' END,
	CASE WHEN asked THEN
		(ARRAY['I had', 'Just finished', 'Please note down', 'How many calories are in',
			'Can I still eat'])
			[1 + floor(5 * a)::int] || ' '
		|| (ARRAY['two eggs with toast', 'a bowl of oatmeal and blueberries', 'chicken salad',
			'a slice of pizza and a large glass of orange juice'])[1 + floor(4 * b)::int] || '.'
	ELSE
		(ARRAY['Noted.', 'Good choice.', 'That fits your plan well.',
			'I have written it down in your diary.'])[1 + floor(4 * a)::int]
		|| ' That is about ' || 80 + floor(600 * b)::int || ' kcal, which leaves you '
		|| floor(1500 * a)::int || ' kcal for the rest of the day.'
		|| CASE WHEN b < 0.5 THEN ' Remember to drink enough water, you are two glasses behind '
			'your goal and it is already late in the afternoon.' ELSE '' END
		|| CASE WHEN a < 0.1 THEN ' Over the last week you have eaten a little less protein than you '
			'planned: beans, eggs, fish or yoghurt with your next meal would make up for it.'
			ELSE '' END
	END,
	CASE WHEN kind < 0.85 THEN 'text' WHEN kind < 0.95 THEN 'photo' ELSE 'voice' END,
	CASE WHEN NOT asked THEN jsonb_build_object('model', 'm2', 'latency_ms', floor(3000 * b)::int) END,
	CASE WHEN asked THEN NULL ELSE 50 + floor(400 * b)::int END,
	created_at
FROM c;

WITH s AS MATERIALIZED (
	SELECT greatest(1000, round(200000 * current_setting('pgmend.scale')::float8))::bigint AS n,
		current_setting('pgmend.now')::timestamptz AS now
), f AS (
	SELECT i, pg_temp.u(i, 231) AS what, pg_temp.u(i, 232) AS much,
		s.now - interval '365 days' * power((s.n - i + pg_temp.u(i, 233)) / s.n, 2) AS created_at
	FROM s, generate_series(1, s.n) AS i
)
INSERT INTO health.food_entries (user_id, food_name, quantity, unit, calories, nutrients, meal_type,
	created_at)
SELECT 1 + floor(10000 * power(pg_temp.u(i, 234), 2))::int,
	(ARRAY['oatmeal', 'banana', 'apple', 'chicken breast', 'rice', 'black coffee', 'egg', 'yoghurt'])
		[1 + floor(8 * power(what, 2))::int]
		|| (ARRAY['', ' with honey', ' (large)', ', organic', ' and nuts'])
			[1 + floor(5 * power(pg_temp.u(i, 235), 2))::int],
	round((20 + 300 * much)::numeric, 0),
	'g',
	40 + floor(600 * much)::int,
	jsonb_build_object('protein', floor(40 * what)::int, 'fat', floor(30 * much)::int,
		'carbs', floor(90 * much)::int),
	(ARRAY['breakfast', 'lunch', 'dinner', 'snack'])[1 + floor(4 * pg_temp.u(i, 236))::int],
	created_at
FROM f;

WITH s AS MATERIALIZED (
	SELECT greatest(1000, round(120000 * current_setting('pgmend.scale')::float8))::bigint AS n,
		current_setting('pgmend.now')::timestamptz AS now
), r AS (
	-- One reminder in ten is still active, few of those are due, all the others lie in the past.
	SELECT i, s.now, s.n, pg_temp.u(i, 241) < 0.1 AS active, pg_temp.u(i, 242) AS due
	FROM s, generate_series(1, s.n) AS i
)
INSERT INTO health.reminders (user_id, reminder_type, message, schedule, is_active, next_execution_at,
	created_at)
SELECT 1 + floor(20000 * power(pg_temp.u(i, 243), 2))::int,
	(ARRAY['water', 'meal', 'medicine', 'workout'])[1 + floor(4 * pg_temp.u(i, 244))::int],
	(ARRAY['Time to drink a glass of water', 'Have you written down your lunch?',
		'Take your vitamins', 'Ten minutes of stretching would do you good now'])
		[1 + floor(4 * pg_temp.u(i, 245))::int],
	jsonb_build_object('every', 'day', 'at', lpad((i % 24)::text, 2, '0') || ':30'),
	active,
	CASE WHEN NOT active THEN now - interval '300 days' * due - interval '1 hour'
		WHEN due < 0.02 THEN now - interval '10 minutes' * due
		ELSE now + interval '2 hours' + interval '3 days' * due END,
	now - interval '310 days' - interval '1 minute' * (n - i)
FROM r;

WITH s AS MATERIALIZED (SELECT current_setting('pgmend.now')::timestamptz AS now)
INSERT INTO health.user_gamification (user_id, total_xp, level, current_streak, longest_streak,
	achievements, updated_at)
SELECT i,
	floor(50000 * power(pg_temp.u(i, 251), 4))::int,
	1 + floor(50 * power(pg_temp.u(i, 251), 4))::int,
	floor(30 * power(pg_temp.u(i, 252), 3))::int,
	30 + floor(60 * power(pg_temp.u(i, 252), 3))::int,
	CASE WHEN pg_temp.u(i, 253) < 0.5 THEN '["first_meal", "three_day_streak"]'::jsonb
		ELSE '["first_meal", "three_day_streak", "water_champion", "early_bird", "hero"]'::jsonb END,
	s.now - interval '90 days' * pg_temp.u(i, 254)
FROM s, generate_series(1, 100000) AS i;

RESET session_replication_role;
