-- 300,000 annotation items, 150,000 cached exercises, 80,000 batch jobs and 150,000 of their errors at
-- scale 1. Referential integrity holds by construction, so the row-by-row checks are skipped.
SET session_replication_role = replica;

CREATE OR REPLACE FUNCTION pg_temp.u(i bigint, seed bigint) RETURNS float8 LANGUAGE sql IMMUTABLE
AS 'SELECT (pg_catalog.hashint8extended(i, seed) & 4294967295)::float8 / 4294967296.0';

INSERT INTO annotation.images (file_name, width, height, checksum, uploaded_at)
SELECT 'img_' || lpad(i::text, 6, '0') || '.jpg', 1920, 1080, md5(i::text),
	current_setting('pgmend.now')::timestamptz - interval '365 days' - interval '1 minute' * (20000 - i)
FROM generate_series(1, 20000) AS i;

WITH s AS MATERIALIZED (
	SELECT greatest(1000, round(80000 * current_setting('pgmend.scale')::float8))::bigint AS n,
		current_setting('pgmend.now')::timestamptz AS now
), j AS (
	SELECT i, pg_temp.u(i, 401) AS a,
		s.now - interval '365 days' * power((s.n - i + 0.5) / s.n, 2) AS created_at,
		-- Only the last jobs still run or wait.
		CASE WHEN i > s.n - s.n * 0.005 THEN 'queued' WHEN i > s.n - s.n * 0.008 THEN 'running'
			WHEN pg_temp.u(i, 402) < 0.05 THEN 'failed'
			WHEN pg_temp.u(i, 402) < 0.07 THEN 'cancelled'
			ELSE 'completed' END AS status
	FROM s, generate_series(1, s.n) AS i
)
INSERT INTO annotation.batch_jobs (name, job_type, status, priority, total_items, processed_items, parameters,
	created_at, started_at, completed_at)
SELECT 'batch ' || i || ' of ' || to_char(created_at, 'YYYY-MM-DD'),
	(ARRAY['detect', 'segment', 'classify', 'export'])[1 + floor(4 * power(a, 2))::int],
	status,
	1 + floor(9 * pg_temp.u(i, 403))::int,
	10 + floor(500 * a)::int,
	CASE WHEN status IN ('queued', 'running') THEN 0 ELSE 10 + floor(500 * a)::int END,
	jsonb_build_object('model', 'yolo-v8', 'threshold', round(a::numeric, 2), 'augment', a < 0.5),
	created_at,
	CASE WHEN status <> 'queued' THEN created_at + interval '1 minute' END,
	CASE WHEN status NOT IN ('queued', 'running') THEN created_at + interval '9 minutes' END
FROM j;

WITH s AS MATERIALIZED (
	SELECT greatest(1000, round(150000 * current_setting('pgmend.scale')::float8))::bigint AS n,
		greatest(1000, round(80000 * current_setting('pgmend.scale')::float8))::bigint AS jobs,
		current_setting('pgmend.now')::timestamptz AS now
)
INSERT INTO annotation.batch_job_errors (batch_job_id, item_index, error_type, error_message, retryable,
	created_at)
SELECT 1 + floor(s.jobs * power(pg_temp.u(i, 411), 2))::int,
	floor(500 * pg_temp.u(i, 412))::int,
	(ARRAY['timeout', 'decode_error', 'out_of_memory', 'bad_request'])
		[1 + floor(4 * power(pg_temp.u(i, 413), 2))::int],
	(ARRAY['the model server did not answer within 30 seconds',
		'the image could not be decoded: premature end of JPEG file after 18 scan lines',
		'allocation of 2.1 GB failed on device 0'])[1 + floor(3 * pg_temp.u(i, 414))::int]
		|| ' (item ' || i || ', worker ' || i % 8 || ')',
	pg_temp.u(i, 413) < 0.5,
	s.now - interval '365 days' * power((s.n - i + 0.5) / s.n, 2)
FROM s, generate_series(1, s.n) AS i;

WITH s AS MATERIALIZED (
	SELECT greatest(1000, round(300000 * current_setting('pgmend.scale')::float8))::bigint AS n,
		greatest(1000, round(80000 * current_setting('pgmend.scale')::float8))::bigint AS jobs,
		current_setting('pgmend.now')::timestamptz AS now
), a AS (
	SELECT i, s.jobs, pg_temp.u(i, 421) AS x, pg_temp.u(i, 422) AS y, pg_temp.u(i, 423) AS fate,
		s.now - interval '365 days' * power((s.n - i + pg_temp.u(i, 424)) / s.n, 2) AS created_at,
		1 + floor(s.jobs * (i - 1)::float8 / s.n)::int AS job
	FROM s, generate_series(1, s.n) AS i
)
INSERT INTO annotation.ai_annotation_items (image_id, batch_job_id, label, confidence, bounding_box, status,
	model_version, created_at, reviewed_at)
SELECT 1 + floor(20000 * power(pg_temp.u(i, 425), 2))::int,
	job,
	(ARRAY['car', 'person', 'bicycle', 'traffic light', 'dog', 'truck', 'bus', 'bench'])
		[1 + floor(8 * power(x, 2))::int],
	1 - power(y, 3),
	jsonb_build_object('x', floor(1800 * x)::int, 'y', floor(1000 * y)::int, 'w', 40 + floor(80 * y)::int,
		'h', 60 + floor(90 * x)::int),
	CASE WHEN fate < 0.72 THEN 'approved' WHEN fate < 0.92 THEN 'auto_accepted'
		WHEN fate < 0.985 THEN 'rejected' WHEN fate < 0.995 THEN 'pending' ELSE 'needs_review' END,
	'v' || 1 + i / 100000,
	created_at,
	CASE WHEN fate < 0.985 THEN created_at + interval '2 hours' * x END
FROM a;

WITH s AS MATERIALIZED (
	SELECT greatest(1000, round(150000 * current_setting('pgmend.scale')::float8))::bigint AS n,
		current_setting('pgmend.now')::timestamptz AS now
), e AS (
	-- An exercise lives for 30 days, and a clean-up now and then leaves some hours of expired rows.
	SELECT i, pg_temp.u(i, 431) AS a,
		s.now + interval '30 days' * (i::float8 / s.n) - interval '5 hours' AS expires_at
	FROM s, generate_series(1, s.n) AS i
)
INSERT INTO annotation.exercise_cache (language, topic, difficulty, exercise_type, payload, hit_count,
	created_at, expires_at)
SELECT (ARRAY['en', 'de', 'fr', 'es', 'it', 'pt'])[1 + floor(6 * power(pg_temp.u(i, 432), 2))::int],
	'topic-' || 1 + floor(120 * power(pg_temp.u(i, 433), 2))::int,
	(ARRAY['beginner', 'intermediate', 'advanced'])[1 + floor(3 * pg_temp.u(i, 434))::int],
	(ARRAY['cloze', 'multiple_choice', 'translation', 'matching'])[1 + floor(4 * pg_temp.u(i, 435))::int],
	jsonb_build_object('question', 'Fill in the missing word of sentence ' || i,
		'options', '["was", "were", "had been", "is"]'::jsonb, 'answer', floor(4 * a)::int,
		'explanation',
		'The verb agrees with the subject of the main clause, not with the nearest noun.'),
	floor(100 * power(a, 4))::int,
	expires_at - interval '30 days',
	expires_at
FROM e;

RESET session_replication_role;
