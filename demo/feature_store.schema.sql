-- Feature store: training jobs own features, features own their strongest activations.
CREATE SCHEMA feature_store;

CREATE TABLE feature_store.training_jobs (
	id bigserial PRIMARY KEY,
	name varchar(120) NOT NULL,
	model_name varchar(120) NOT NULL,
	dataset_name varchar(120) NOT NULL,
	layer smallint NOT NULL,
	status varchar(20) NOT NULL DEFAULT 'queued',
	hyperparameters jsonb NOT NULL DEFAULT '{}',
	progress real NOT NULL DEFAULT 0,
	error_message text,
	created_at timestamptz NOT NULL DEFAULT now(),
	completed_at timestamptz,
	CONSTRAINT uq_training_jobs_name UNIQUE (name)
);

CREATE TABLE feature_store.features (
	id bigserial PRIMARY KEY,
	training_job_id bigint NOT NULL
		CONSTRAINT features_training_job_id_fkey
		REFERENCES feature_store.training_jobs (id) ON DELETE CASCADE,
	feature_index integer NOT NULL,
	name varchar(120) NOT NULL,
	description text,
	category varchar(40),
	activation_frequency real NOT NULL,
	max_activation real NOT NULL,
	interpretability_score real NOT NULL,
	is_favorite boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT uq_features_job_index UNIQUE (training_job_id, feature_index)
);

CREATE TABLE feature_store.feature_activations (
	id bigserial PRIMARY KEY,
	feature_id bigint NOT NULL
		CONSTRAINT feature_activations_feature_id_fkey
		REFERENCES feature_store.features (id) ON DELETE CASCADE,
	sample_index integer NOT NULL,
	token_position smallint NOT NULL,
	token varchar(40) NOT NULL,
	activation real NOT NULL,
	context text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);
