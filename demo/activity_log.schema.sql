-- Activity log: what users do in their projects, and the workflows that run there.
CREATE SCHEMA activity_log;

CREATE TABLE activity_log.users (
	id serial PRIMARY KEY,
	email varchar(255) NOT NULL,
	full_name varchar(120) NOT NULL,
	role varchar(20) NOT NULL DEFAULT 'member',
	is_active boolean NOT NULL DEFAULT true,
	last_seen_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT users_email_key UNIQUE (email)
);

CREATE TABLE activity_log.projects (
	id serial PRIMARY KEY,
	owner_id integer NOT NULL
		CONSTRAINT projects_owner_id_fkey REFERENCES activity_log.users (id),
	name varchar(120) NOT NULL,
	status varchar(20) NOT NULL DEFAULT 'active',
	settings jsonb NOT NULL DEFAULT '{}',
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_projects_owner_id ON activity_log.projects (owner_id);

CREATE TABLE activity_log.workflow_instances (
	id bigserial PRIMARY KEY,
	project_id integer NOT NULL
		CONSTRAINT workflow_instances_project_id_fkey
		REFERENCES activity_log.projects (id) ON DELETE CASCADE,
	workflow_name varchar(80) NOT NULL,
	status varchar(20) NOT NULL DEFAULT 'pending',
	current_step smallint NOT NULL DEFAULT 0,
	context jsonb NOT NULL DEFAULT '{}',
	started_at timestamptz NOT NULL DEFAULT now(),
	finished_at timestamptz
);
CREATE INDEX ix_workflow_instances_project_id ON activity_log.workflow_instances (project_id);

CREATE TABLE activity_log.activity_logs (
	id bigserial PRIMARY KEY,
	user_id integer
		CONSTRAINT activity_logs_user_id_fkey
		REFERENCES activity_log.users (id) ON DELETE SET NULL,
	project_id integer
		CONSTRAINT activity_logs_project_id_fkey
		REFERENCES activity_log.projects (id) ON DELETE SET NULL,
	category varchar(30) NOT NULL,
	action varchar(50) NOT NULL,
	level varchar(10) NOT NULL DEFAULT 'info',
	entity_type varchar(30),
	entity_id bigint,
	message text NOT NULL,
	metadata jsonb NOT NULL DEFAULT '{}',
	tags jsonb NOT NULL DEFAULT '[]',
	created_at timestamptz NOT NULL DEFAULT now()
);
