-- name: delete_training_job
-- title: Delete one training job (cascades to features and activations)
-- headline: yes
-- kind: cascade_delete
-- times: 0
-- sample: DELETE FROM feature_store.features WHERE training_job_id = 1 AND feature_index < 3
-- units: SELECT count(*) FROM feature_store.features WHERE training_job_id = 1
-- trigger: DELETE FROM ONLY feature_store.feature_activations WHERE feature_id = 1
DELETE FROM feature_store.training_jobs WHERE id = 1;

-- name: prune_feature
-- title: Delete the least active feature of a job
-- headline: no
-- kind: write
-- times: 2
DELETE FROM feature_store.features
WHERE id = (
	SELECT f.id
	FROM feature_store.features f
	WHERE f.training_job_id = {{int:2:22}}
	ORDER BY f.activation_frequency
	LIMIT 1
);

-- name: feature_top_activations
-- title: Strongest activations of a feature
-- headline: no
-- kind: read
-- times: 10
SELECT a.sample_index, a.token_position, a.token, a.activation, a.context
FROM feature_store.feature_activations a
WHERE a.feature_id = {{int:1:400}}
ORDER BY a.activation DESC
LIMIT 20;

-- name: features_of_job
-- title: Features of a job, best first
-- headline: no
-- kind: read
-- times: 20
SELECT f.id, f.feature_index, f.name, f.category, f.activation_frequency, f.interpretability_score
FROM feature_store.features f
WHERE f.training_job_id = {{zipf:2:25}}
ORDER BY f.interpretability_score DESC
LIMIT 50;

-- name: recent_training_jobs
-- title: Training jobs with their number of features
-- headline: no
-- kind: read
-- times: 10
SELECT j.id, j.name, j.status, j.progress, j.created_at, count(f.id) AS features
FROM feature_store.training_jobs j
LEFT JOIN feature_store.features f ON f.training_job_id = j.id
GROUP BY j.id
ORDER BY j.created_at DESC
LIMIT 10;

-- name: training_job_by_id
-- title: One training job
-- headline: no
-- kind: read
-- times: 40
SELECT j.id, j.name, j.model_name, j.dataset_name, j.layer, j.status, j.hyperparameters, j.progress
FROM feature_store.training_jobs j
WHERE j.id = {{int:1:25}};

-- name: label_feature
-- title: Label a feature
-- headline: no
-- kind: write
-- times: 10
UPDATE feature_store.features
SET description = 'fires on {{choice:dates|negation|quotations}}', updated_at = now()
WHERE id = {{int:1:400}};

-- name: add_activation
-- title: Store an activation
-- headline: no
-- kind: write
-- times: 20
INSERT INTO feature_store.feature_activations
	(feature_id, sample_index, token_position, token, activation, context)
VALUES ({{int:1:100}}, {{int:1:100000}}, {{int:0:127}}, ' Paris', 3.25, 'the train from Paris was late');
