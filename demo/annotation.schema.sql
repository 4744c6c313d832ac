-- Annotation tool: images annotated by a model in batches and reviewed by people, and a cache of
-- generated exercises.
CREATE SCHEMA annotation;

CREATE TABLE annotation.images (
	id serial PRIMARY KEY,
	file_name varchar(200) NOT NULL,
	width integer NOT NULL,
	height integer NOT NULL,
	checksum varchar(64) NOT NULL,
	uploaded_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT images_file_name_key UNIQUE (file_name)
);

CREATE TABLE annotation.batch_jobs (
	id serial PRIMARY KEY,
	name varchar(120) NOT NULL,
	job_type varchar(30) NOT NULL,
	status varchar(20) NOT NULL DEFAULT 'queued',
	priority smallint NOT NULL DEFAULT 5,
	total_items integer NOT NULL DEFAULT 0,
	processed_items integer NOT NULL DEFAULT 0,
	parameters jsonb NOT NULL DEFAULT '{}',
	created_at timestamptz NOT NULL DEFAULT now(),
	started_at timestamptz,
	completed_at timestamptz
);

CREATE TABLE annotation.batch_job_errors (
	id bigserial PRIMARY KEY,
	batch_job_id integer NOT NULL
		CONSTRAINT batch_job_errors_batch_job_id_fkey
		REFERENCES annotation.batch_jobs (id) ON DELETE CASCADE,
	item_index integer NOT NULL,
	error_type varchar(40) NOT NULL,
	error_message text NOT NULL,
	retryable boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE annotation.ai_annotation_items (
	id bigserial PRIMARY KEY,
	image_id integer NOT NULL
		CONSTRAINT ai_annotation_items_image_id_fkey
		REFERENCES annotation.images (id) ON DELETE CASCADE,
	batch_job_id integer NOT NULL
		CONSTRAINT ai_annotation_items_batch_job_id_fkey
		REFERENCES annotation.batch_jobs (id) ON DELETE CASCADE,
	label varchar(60) NOT NULL,
	confidence double precision NOT NULL,
	bounding_box jsonb NOT NULL,
	status varchar(20) NOT NULL DEFAULT 'pending',
	model_version varchar(20) NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	reviewed_at timestamptz
);
CREATE INDEX ix_ai_annotation_items_batch_job_id ON annotation.ai_annotation_items (batch_job_id);

CREATE TABLE annotation.exercise_cache (
	id bigserial PRIMARY KEY,
	language varchar(8) NOT NULL,
	topic varchar(60) NOT NULL,
	difficulty varchar(16) NOT NULL,
	exercise_type varchar(24) NOT NULL,
	payload jsonb NOT NULL,
	hit_count integer NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL
);
