-- name: sender_messages_page
-- title: Messages of a sender, page of 50
-- headline: yes
-- kind: read
-- times: 20
SELECT m.id, m.recipient_id, m.body, m.is_read, m.created_at
FROM social.messages m
WHERE m.sender_id = {{zipf:1:8000}} AND m.deleted_at IS NULL
ORDER BY m.created_at DESC
LIMIT 50;

-- name: user_posts_page
-- title: Posts of a user, page of 50
-- headline: yes
-- kind: read
-- times: 20
SELECT p.id, p.body, p.visibility, p.like_count, p.created_at
FROM social.posts p
WHERE p.user_id = {{zipf:1:8000}} AND p.deleted_at IS NULL
ORDER BY p.created_at DESC
LIMIT 50;

-- name: user_feed
-- title: Feed of a user's messages and posts
-- headline: yes
-- kind: read
-- times: 10
(SELECT 'message' AS kind, m.id, m.body, m.created_at
 FROM social.messages m
 WHERE m.sender_id = {{zipf:1:8000}} AND m.deleted_at IS NULL
 ORDER BY m.created_at DESC
 LIMIT 50)
UNION ALL
(SELECT 'post' AS kind, p.id, p.body, p.created_at
 FROM social.posts p
 WHERE p.user_id = {{zipf:1:8000}} AND p.deleted_at IS NULL
 ORDER BY p.created_at DESC
 LIMIT 50)
ORDER BY created_at DESC
LIMIT 50;

-- name: unread_count
-- title: Unread messages of a recipient
-- headline: no
-- kind: read
-- times: 30
SELECT count(*) AS unread
FROM social.messages m
WHERE m.recipient_id = {{zipf:1:8000}} AND NOT m.is_read AND m.deleted_at IS NULL;

-- name: comments_of_post
-- title: Comments of a post
-- headline: no
-- kind: read
-- times: 4
SELECT c.id, c.user_id, u.display_name, c.body, c.created_at
FROM social.comments c
JOIN social.users u ON u.id = c.user_id
WHERE c.post_id = {{int:1:1000}}
ORDER BY c.created_at;

-- name: profile_by_username
-- title: Profile by user name
-- headline: no
-- kind: read
-- times: 40
SELECT u.id, u.display_name, u.bio, u.last_seen_at
FROM social.users u
WHERE u.username = 'user_{{int:1:8000}}' AND u.deleted_at IS NULL;

-- name: send_message
-- title: Send a message
-- headline: no
-- kind: write
-- times: 30
INSERT INTO social.messages (sender_id, recipient_id, body)
VALUES ({{zipf:1:8000}}, {{int:1:8000}}, 'See you at eight, same place as last time.');

-- name: publish_post
-- title: Publish a post
-- headline: no
-- kind: write
-- times: 10
INSERT INTO social.posts (user_id, body)
VALUES ({{zipf:1:8000}}, 'Morning run along the river, the light was unreal.');

-- name: mark_message_read
-- title: Mark a message as read
-- headline: no
-- kind: write
-- times: 20
UPDATE social.messages SET is_read = true, updated_at = now() WHERE id = {{int:1:2000}};

-- name: soft_delete_post
-- title: Delete a post (softly)
-- headline: no
-- kind: write
-- times: 5
UPDATE social.posts SET deleted_at = now() WHERE id = {{int:1:1000}};

-- name: touch_user
-- title: Update a user's last seen time
-- headline: no
-- kind: write
-- times: 20
UPDATE social.users SET last_seen_at = now() WHERE id = {{zipf:1:8000}};
