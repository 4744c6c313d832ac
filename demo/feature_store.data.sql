-- About 10,000 features and 900,000 activations at scale 1. A feature's activations lie together,
-- as the extraction wrote them. Referential integrity holds by construction, so the row-by-row
-- checks of the foreign keys are skipped.
SET session_replication_role = replica;

CREATE OR REPLACE FUNCTION pg_temp.u(i bigint, seed bigint) RETURNS float8 LANGUAGE sql IMMUTABLE
AS 'SELECT (pg_catalog.hashint8extended(i, seed) & 4294967295)::float8 / 4294967296.0';

INSERT INTO feature_store.training_jobs (name, model_name, dataset_name, layer, status, hyperparameters,
	progress, error_message, created_at, completed_at)
SELECT 'sae-run-' || lpad(i::text, 3, '0'),
	(ARRAY['gpt2-small', 'pythia-160m', 'tinyllama-1.1b'])[1 + i % 3],
	(ARRAY['openwebtext', 'the-pile-10k', 'tinystories'])[1 + i % 3],
	i % 12,
	CASE WHEN i = 24 THEN 'running' WHEN i = 25 THEN 'queued' WHEN i % 9 = 0 THEN 'failed'
		ELSE 'completed' END,
	jsonb_build_object('l1_alpha', 0.001 * i, 'expansion', 8, 'batch_size', 4096),
	CASE WHEN i < 24 THEN 100 ELSE 0 END,
	CASE WHEN i % 9 = 0 THEN 'CUDA out of memory' END,
	current_setting('pgmend.now')::timestamptz - interval '5 days' * (26 - i),
	CASE WHEN i < 24 THEN current_setting('pgmend.now')::timestamptz - interval '5 days' * (26 - i)
		+ interval '7 hours' END
FROM generate_series(1, 25) AS i;

WITH s AS MATERIALIZED (
	SELECT greatest(500, round(10000 * current_setting('pgmend.scale')::float8))::bigint AS n,
		current_setting('pgmend.now')::timestamptz AS now
), f AS (
	-- The square root makes job 1 own a fifth of all features and job 25 a fiftieth.
	SELECT i, s.now, 1 + floor(25 * power((i - 1)::float8 / s.n, 2))::bigint AS job
	FROM s, generate_series(1, s.n) AS i
)
INSERT INTO feature_store.features (training_job_id, feature_index, name, description, category,
	activation_frequency, max_activation, interpretability_score, is_favorite, created_at, updated_at)
SELECT job,
	row_number() OVER (PARTITION BY job ORDER BY i) - 1,
	'feature_' || i,
	CASE WHEN pg_temp.u(i, 1) < 0.4 THEN 'fires on '
		|| (ARRAY['dates', 'negation', 'Python keywords', 'place names', 'quotations',
			'numbers', 'plural nouns'])[1 + floor(7 * pg_temp.u(i, 2))::int] END,
	(ARRAY['semantic', 'syntactic', 'positional', 'dead'])[1 + floor(4 * power(pg_temp.u(i, 3), 2))::int],
	power(pg_temp.u(i, 4), 3),
	20 * pg_temp.u(i, 5),
	pg_temp.u(i, 6),
	pg_temp.u(i, 7) < 0.02,
	now - interval '5 days' * (26 - job) + interval '7 hours',
	now - interval '5 days' * (26 - job) + interval '7 hours'
FROM f
ORDER BY i;

INSERT INTO feature_store.feature_activations (feature_id, sample_index, token_position, token, activation,
	context, created_at)
SELECT f.id,
	floor(100000 * pg_temp.u(f.id * 1000 + k, 11))::int,
	floor(128 * pg_temp.u(f.id * 1000 + k, 12))::int,
	(ARRAY['the', ' not', ' 1984', ' return', ' Paris', '"', ' said', ' never', 's', ' def'])
		[1 + floor(10 * pg_temp.u(f.id * 1000 + k, 13))::int],
	f.max_activation * (1 - 0.8 * k / 151.0),
	(ARRAY['in the spring of that year the committee decided',
		'she had never been told why the letter was',
		'raise ValueError if the argument is missing, otherwise',
		'according to the report published last week'])
		[1 + floor(4 * pg_temp.u(f.id * 1000 + k, 14))::int] || ' '
	|| (ARRAY['to keep the older version', 'and nobody asked', 'returned without a value',
		'for reasons that remain unclear to everyone'])
		[1 + floor(4 * pg_temp.u(f.id * 1000 + k, 15))::int],
	f.created_at + interval '1 millisecond' * k
FROM (SELECT id, created_at, max_activation FROM feature_store.features ORDER BY id OFFSET 0) AS f,
	generate_series(1, 30 + floor(121 * pg_temp.u(f.id, 10))::int) AS k;

RESET session_replication_role;
