-- name: cached_exercise
-- title: Cached exercise (four columns and an expiry)
-- headline: yes
-- kind: read
-- times: 30
SELECT e.id, e.payload, e.expires_at
FROM annotation.exercise_cache e
WHERE e.language = '{{choice:en|en|de|fr|es}}'
	AND e.topic = 'topic-{{zipf:1:120}}'
	AND e.difficulty = '{{choice:beginner|intermediate|advanced}}'
	AND e.exercise_type = '{{choice:cloze|multiple_choice|translation|matching}}'
	AND e.expires_at > now()
ORDER BY e.expires_at DESC
LIMIT 1;

-- name: purge_expired_exercises
-- title: Clean-up of expired exercises
-- headline: yes
-- kind: write
-- times: 3
DELETE FROM annotation.exercise_cache WHERE expires_at < now();

-- name: annotations_of_image
-- title: Annotations of an image
-- headline: yes
-- kind: read
-- times: 25
SELECT a.id, a.label, a.confidence, a.bounding_box, a.status
FROM annotation.ai_annotation_items a
WHERE a.image_id = {{zipf:1:20000}}
ORDER BY a.confidence DESC;

-- name: least_confident_annotations
-- title: Annotations of least confidence
-- headline: yes
-- kind: read
-- times: 8
SELECT a.id, a.image_id, a.label, a.confidence
FROM annotation.ai_annotation_items a
WHERE a.confidence < 0.05
ORDER BY a.confidence
LIMIT 100;

-- name: review_queue
-- title: Review queue by status
-- headline: yes
-- kind: read
-- times: 20
SELECT a.id, a.image_id, i.file_name, a.label, a.confidence, a.bounding_box
FROM annotation.ai_annotation_items a
JOIN annotation.images i ON i.id = a.image_id
WHERE a.status = '{{choice:needs_review|pending}}'
ORDER BY a.created_at
LIMIT 50;

-- name: batch_jobs_by_status
-- title: Batch jobs by status
-- headline: yes
-- kind: read
-- times: 20
SELECT b.id, b.name, b.job_type, b.priority, b.total_items, b.processed_items
FROM annotation.batch_jobs b
WHERE b.status = '{{choice:queued|running}}'
ORDER BY b.created_at
LIMIT 50;

-- name: errors_of_batch_job
-- title: Errors of a batch job
-- headline: yes
-- kind: read
-- times: 20
SELECT e.item_index, e.error_type, e.error_message, e.retryable, e.created_at
FROM annotation.batch_job_errors e
WHERE e.batch_job_id = {{int:1:1000}}
ORDER BY e.created_at;

-- name: items_of_batch_job
-- title: Annotations made by a batch job
-- headline: no
-- kind: read
-- times: 20
SELECT a.id, a.image_id, a.label, a.confidence, a.status
FROM annotation.ai_annotation_items a
WHERE a.batch_job_id = {{int:1:1000}};

-- name: cache_exercise
-- title: Put an exercise into the cache
-- headline: no
-- kind: write
-- times: 15
INSERT INTO annotation.exercise_cache (language, topic, difficulty, exercise_type, payload, expires_at)
VALUES ('en', 'topic-{{int:1:120}}', 'beginner', 'cloze', '{"question": "Fill in the missing word"}',
	now() + interval '30 days');

-- name: add_annotation
-- title: Store an annotation
-- headline: no
-- kind: write
-- times: 20
INSERT INTO annotation.ai_annotation_items
	(image_id, batch_job_id, label, confidence, bounding_box, model_version)
VALUES ({{zipf:1:20000}}, {{int:1:1000}}, 'car', 0.{{int:50:99}},
	'{"x": 10, "y": 20, "w": 64, "h": 48}', 'v3');

-- name: approve_annotation
-- title: Approve an annotation
-- headline: no
-- kind: write
-- times: 10
UPDATE annotation.ai_annotation_items
SET status = 'approved', reviewed_at = now()
WHERE id = {{int:1:1000}};

-- name: advance_batch_job
-- title: Record the progress of a batch job
-- headline: no
-- kind: write
-- times: 10
UPDATE annotation.batch_jobs SET processed_items = processed_items + 1 WHERE id = {{int:1:1000}};
