-- 800,000 log rows and 150,000 workflow instances at scale 1, older rows first, recent days busier.
-- Referential integrity holds by construction, so the row-by-row checks are skipped.
SET session_replication_role = replica;

CREATE OR REPLACE FUNCTION pg_temp.u(i bigint, seed bigint) RETURNS float8 LANGUAGE sql IMMUTABLE
AS 'SELECT (pg_catalog.hashint8extended(i, seed) & 4294967295)::float8 / 4294967296.0';

INSERT INTO activity_log.users (email, full_name, role, is_active, last_seen_at, created_at)
SELECT 'user' || i || '@example.com',
	(ARRAY['Ada', 'Grace', 'Edgar', 'Barbara', 'Donald', 'Radia'])[1 + i % 6] || ' '
		|| (ARRAY['Stone', 'Rivers', 'Field', 'Marsh', 'Hill'])[1 + i % 5],
	CASE WHEN i % 50 = 0 THEN 'admin' ELSE 'member' END,
	i % 20 <> 0,
	current_setting('pgmend.now')::timestamptz - interval '60 days' * pg_temp.u(i, 101),
	current_setting('pgmend.now')::timestamptz - interval '400 days' - interval '1 hour' * (5000 - i)
FROM generate_series(1, 5000) AS i;

INSERT INTO activity_log.projects (owner_id, name, status, settings, created_at)
SELECT 1 + floor(5000 * power(pg_temp.u(i, 111), 2))::int,
	'project-' || i,
	CASE WHEN i % 7 = 0 THEN 'archived' ELSE 'active' END,
	'{"visibility": "team"}',
	current_setting('pgmend.now')::timestamptz - interval '1 day' * (500 - i)
FROM generate_series(1, 400) AS i;

WITH s AS MATERIALIZED (
	SELECT greatest(1000, round(150000 * current_setting('pgmend.scale')::float8))::bigint AS n,
		current_setting('pgmend.now')::timestamptz AS now
), w AS (
	SELECT i, s.n, pg_temp.u(i, 121) AS fate,
		s.now - interval '365 days' * power((s.n - i + pg_temp.u(i, 122)) / s.n, 2) AS started_at
	FROM s, generate_series(1, s.n) AS i
)
INSERT INTO activity_log.workflow_instances (project_id, workflow_name, status, current_step, context,
	started_at, finished_at)
SELECT 1 + floor(400 * power(pg_temp.u(i, 123), 2))::int,
	(ARRAY['nightly-import', 'document-review', 'onboarding', 'invoice-approval', 'backup'])
		[1 + floor(5 * power(pg_temp.u(i, 124), 2))::int],
	CASE WHEN fate < 0.90 THEN 'completed' WHEN fate < 0.96 THEN 'failed'
		WHEN fate < 0.985 THEN 'cancelled' WHEN fate < 0.99 THEN 'waiting'
		WHEN fate < 0.994 THEN 'running' ELSE 'pending' END,
	CASE WHEN fate < 0.90 THEN 5 ELSE floor(5 * pg_temp.u(i, 125))::int END,
	jsonb_build_object('attempt', 1 + i % 3, 'batch', i / 40, 'trigger', 'schedule'),
	started_at,
	CASE WHEN fate < 0.985 THEN started_at + interval '20 minutes' * pg_temp.u(i, 126) END
FROM w;

WITH s AS MATERIALIZED (
	SELECT greatest(2000, round(800000 * current_setting('pgmend.scale')::float8))::bigint AS n,
		current_setting('pgmend.now')::timestamptz AS now
), l AS (
	SELECT i, pg_temp.u(i, 131) AS what, pg_temp.u(i, 132) AS how, pg_temp.u(i, 133) AS bad,
		s.now - interval '365 days' * power((s.n - i + pg_temp.u(i, 134)) / s.n, 2) AS created_at
	FROM s, generate_series(1, s.n) AS i
), c AS (
	SELECT l.*,
		CASE WHEN what < 0.55 THEN 'document' WHEN what < 0.75 THEN 'task'
			WHEN what < 0.88 THEN 'workflow' WHEN what < 0.96 THEN 'auth'
			WHEN what < 0.99 THEN 'billing' ELSE 'admin' END AS category
	FROM l
)
INSERT INTO activity_log.activity_logs (user_id, project_id, category, action, level, entity_type, entity_id,
	message, metadata, tags, created_at)
SELECT 1 + floor(5000 * power(pg_temp.u(i, 135), 2))::int,
	CASE WHEN category NOT IN ('auth', 'billing')
		THEN 1 + floor(400 * power(pg_temp.u(i, 136), 2))::int END,
	category,
	CASE category
		WHEN 'document' THEN CASE WHEN how < 0.7 THEN 'view' WHEN how < 0.95 THEN 'edit'
			ELSE 'export' END
		WHEN 'task' THEN CASE WHEN how < 0.6 THEN 'update' WHEN how < 0.9 THEN 'comment'
			ELSE 'close' END
		WHEN 'workflow' THEN CASE WHEN how < 0.9 THEN 'step' ELSE 'restart' END
		WHEN 'auth' THEN CASE WHEN how < 0.85 THEN 'login' WHEN how < 0.95 THEN 'login_failed'
			ELSE 'password_reset' END
		WHEN 'billing' THEN CASE WHEN how < 0.9 THEN 'invoice' ELSE 'refund' END
		ELSE CASE WHEN how < 0.5 THEN 'role_change' ELSE 'export' END END,
	CASE WHEN bad < 0.93 THEN 'info' WHEN bad < 0.985 THEN 'warning' ELSE 'error' END,
	CASE WHEN category IN ('document', 'task', 'workflow') THEN category END,
	floor(50000 * power(pg_temp.u(i, 137), 2))::bigint,
	(ARRAY['opened the quarterly report', 'changed the due date', 'moved a card to another column',
		'signed in from a new device', 'attached a file and left a note for the reviewers'])
		[1 + floor(5 * pg_temp.u(i, 138))::int],
	jsonb_build_object(
		'ip', '10.' || floor(4 * pg_temp.u(i, 139))::int || '.' || floor(10 * pg_temp.u(i, 140))::int
			|| '.' || floor(250 * pg_temp.u(i, 141))::int,
		'client', CASE WHEN how < 0.6 THEN 'web' WHEN how < 0.9 THEN 'mobile' ELSE 'api' END,
		'duration_ms', floor(2000 * power(what, 3))::int),
	CASE WHEN bad < 0.8 THEN '[]'::jsonb WHEN bad < 0.93 THEN '["bulk"]'::jsonb
		ELSE '["bulk", "retry"]'::jsonb END,
	created_at
FROM c;

RESET session_replication_role;
