-- What hangs on training job 2.
SELECT count(DISTINCT f.id), count(a.id)
  FROM feature_store.features AS f
  LEFT JOIN feature_store.feature_activations AS a ON a.feature_id = f.id
 WHERE f.training_job_id = 2
