-- name: recent_logs
-- title: Recent logs
-- headline: yes
-- kind: read
-- times: 12
SELECT l.id, l.user_id, l.category, l.action, l.level, l.message, l.created_at
FROM activity_log.activity_logs l
ORDER BY l.created_at DESC
LIMIT 100;

-- name: user_timeline
-- title: Timeline of a user
-- headline: yes
-- kind: read
-- times: 20
SELECT l.id, l.category, l.action, l.entity_type, l.entity_id, l.message, l.created_at
FROM activity_log.activity_logs l
WHERE l.user_id = {{zipf:1:5000}}
ORDER BY l.created_at DESC
LIMIT 50;

-- name: logs_by_category_action
-- title: Logs of a category and action
-- headline: yes
-- kind: read
-- times: 8
SELECT l.id, l.user_id, l.level, l.message, l.created_at
FROM activity_log.activity_logs l
WHERE l.category = 'auth' AND l.action = '{{choice:login_failed|password_reset}}'
ORDER BY l.created_at DESC
LIMIT 100;

-- name: logs_by_metadata
-- title: Logs by metadata (jsonb containment)
-- headline: yes
-- kind: read
-- times: 6
SELECT l.id, l.user_id, l.category, l.action, l.metadata, l.created_at
FROM activity_log.activity_logs l
WHERE l.metadata @> '{"ip": "10.{{int:0:3}}.{{int:0:9}}.{{int:0:249}}"}'
ORDER BY l.created_at DESC
LIMIT 50;

-- name: workflows_by_status
-- title: Workflow instances by status
-- headline: yes
-- kind: read
-- times: 20
SELECT w.id, w.project_id, w.workflow_name, w.current_step, w.context, w.started_at
FROM activity_log.workflow_instances w
WHERE w.status = '{{choice:running|pending|waiting}}'
ORDER BY w.started_at DESC
LIMIT 50;

-- name: errors_last_day
-- title: Errors of the last day
-- headline: no
-- kind: read
-- times: 4
SELECT l.category, l.action, count(*) AS errors, max(l.created_at) AS latest
FROM activity_log.activity_logs l
WHERE l.level = 'error' AND l.created_at > now() - interval '1 day'
GROUP BY l.category, l.action
ORDER BY errors DESC;

-- name: project_with_owner
-- title: A project and its owner
-- headline: no
-- kind: read
-- times: 40
SELECT p.id, p.name, p.status, p.settings, u.full_name
FROM activity_log.projects p
JOIN activity_log.users u ON u.id = p.owner_id
WHERE p.id = {{zipf:1:400}};

-- name: user_by_email
-- title: Sign in by email
-- headline: no
-- kind: read
-- times: 40
SELECT u.id, u.full_name, u.role, u.is_active
FROM activity_log.users u
WHERE u.email = 'user{{int:1:5000}}@example.com';

-- name: add_log
-- title: Write a log row
-- headline: no
-- kind: write
-- times: 40
INSERT INTO activity_log.activity_logs
	(user_id, project_id, category, action, level, entity_type, entity_id, message, metadata, tags)
VALUES ({{zipf:1:5000}}, {{zipf:1:400}}, 'document', 'view', 'info', 'document', {{int:1:50000}},
	'opened the quarterly report', '{"ip": "10.0.0.{{int:0:249}}", "client": "web"}', '[]');

-- name: touch_user
-- title: Update a user's last seen time
-- headline: no
-- kind: write
-- times: 20
UPDATE activity_log.users SET last_seen_at = now() WHERE id = {{zipf:1:5000}};
