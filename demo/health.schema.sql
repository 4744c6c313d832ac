-- Health assistant: a chat bot that keeps a food diary, reminds and motivates.
CREATE SCHEMA health;

CREATE TABLE health.users (
	id serial PRIMARY KEY,
	telegram_id bigint NOT NULL,
	email varchar(255) NOT NULL,
	username varchar(64),
	first_name varchar(64) NOT NULL,
	language_code varchar(8) NOT NULL DEFAULT 'en',
	timezone varchar(40) NOT NULL DEFAULT 'UTC',
	height_cm smallint,
	weight_kg numeric(5, 1),
	goals jsonb NOT NULL DEFAULT '{}',
	last_active_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT users_email_key UNIQUE (email)
);
-- Declared both unique and indexed in the model, so the column has two equal indexes.
CREATE INDEX ix_users_email ON health.users (email);

CREATE TABLE health.subscriptions (
	id serial PRIMARY KEY,
	user_id integer NOT NULL
		CONSTRAINT subscriptions_user_id_fkey REFERENCES health.users (id) ON DELETE CASCADE,
	plan varchar(20) NOT NULL,
	status varchar(20) NOT NULL,
	started_at timestamptz NOT NULL,
	expires_at timestamptz NOT NULL
);
CREATE INDEX ix_subscriptions_user_id ON health.subscriptions (user_id);

CREATE TABLE health.conversation_history (
	id bigserial PRIMARY KEY,
	user_id integer NOT NULL
		CONSTRAINT conversation_history_user_id_fkey REFERENCES health.users (id) ON DELETE CASCADE,
	role varchar(16) NOT NULL,
	content text NOT NULL,
	message_type varchar(20) NOT NULL DEFAULT 'text',
	metadata jsonb,
	tokens_used integer,
	created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE health.food_entries (
	id bigserial PRIMARY KEY,
	user_id integer NOT NULL
		CONSTRAINT food_entries_user_id_fkey REFERENCES health.users (id) ON DELETE CASCADE,
	food_name varchar(120) NOT NULL,
	quantity numeric(8, 2) NOT NULL,
	unit varchar(16) NOT NULL,
	calories integer NOT NULL,
	nutrients jsonb,
	meal_type varchar(16) NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE health.reminders (
	id bigserial PRIMARY KEY,
	user_id integer NOT NULL
		CONSTRAINT reminders_user_id_fkey REFERENCES health.users (id) ON DELETE CASCADE,
	reminder_type varchar(20) NOT NULL,
	message text NOT NULL,
	schedule jsonb NOT NULL,
	is_active boolean NOT NULL DEFAULT true,
	next_execution_at timestamptz NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_reminders_user_id ON health.reminders (user_id);

CREATE TABLE health.user_gamification (
	id serial PRIMARY KEY,
	user_id integer NOT NULL
		CONSTRAINT user_gamification_user_id_fkey REFERENCES health.users (id) ON DELETE CASCADE,
	total_xp integer NOT NULL DEFAULT 0,
	level smallint NOT NULL DEFAULT 1,
	current_streak integer NOT NULL DEFAULT 0,
	longest_streak integer NOT NULL DEFAULT 0,
	achievements jsonb NOT NULL DEFAULT '[]',
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT user_gamification_user_id_key UNIQUE (user_id)
);
