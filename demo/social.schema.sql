-- Social: messages and posts with soft deletes, and a feed made of both.
CREATE SCHEMA social;

CREATE TABLE social.users (
	id serial PRIMARY KEY,
	username varchar(40) NOT NULL,
	email varchar(255) NOT NULL,
	display_name varchar(80) NOT NULL,
	bio text,
	last_seen_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz,
	CONSTRAINT users_username_key UNIQUE (username),
	CONSTRAINT users_email_key UNIQUE (email)
);

CREATE TABLE social.messages (
	id bigserial PRIMARY KEY,
	sender_id integer NOT NULL
		CONSTRAINT messages_sender_id_fkey REFERENCES social.users (id) ON DELETE CASCADE,
	recipient_id integer NOT NULL
		CONSTRAINT messages_recipient_id_fkey REFERENCES social.users (id) ON DELETE CASCADE,
	body text NOT NULL,
	attachment_url varchar(255),
	is_read boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz
);
CREATE INDEX ix_messages_recipient_id ON social.messages (recipient_id);

CREATE TABLE social.posts (
	id bigserial PRIMARY KEY,
	user_id integer NOT NULL
		CONSTRAINT posts_user_id_fkey REFERENCES social.users (id) ON DELETE CASCADE,
	body text NOT NULL,
	visibility varchar(16) NOT NULL DEFAULT 'public',
	like_count integer NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz
);
-- Made for a page that no longer exists: no query uses it.
CREATE INDEX ix_posts_visibility_like_count ON social.posts (visibility, like_count);

CREATE TABLE social.comments (
	id bigserial PRIMARY KEY,
	post_id bigint NOT NULL
		CONSTRAINT comments_post_id_fkey REFERENCES social.posts (id) ON DELETE CASCADE,
	user_id integer NOT NULL
		CONSTRAINT comments_user_id_fkey REFERENCES social.users (id) ON DELETE CASCADE,
	body text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_comments_user_id ON social.comments (user_id);
