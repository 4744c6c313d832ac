-- name: conversation_page
-- title: Conversation of a user, newest first
-- headline: yes
-- kind: read
-- times: 20
SELECT c.role, c.content, c.message_type, c.metadata, c.created_at
FROM health.conversation_history c
WHERE c.user_id = {{zipf:1:20000}}
ORDER BY c.created_at DESC
LIMIT 20;

-- name: food_last_week
-- title: Food entries of the last 7 days
-- headline: yes
-- kind: read
-- times: 15
SELECT f.id, f.food_name, f.quantity, f.unit, f.calories, f.nutrients, f.meal_type, f.created_at
FROM health.food_entries f
WHERE f.user_id = {{zipf:1:10000}} AND f.created_at > now() - interval '7 days'
ORDER BY f.created_at DESC;

-- name: favourite_foods
-- title: Favourite foods of a user (GROUP BY food name)
-- headline: yes
-- kind: read
-- times: 8
SELECT f.food_name, count(*) AS times_eaten, avg(f.calories) AS avg_calories
FROM health.food_entries f
WHERE f.user_id = {{zipf:1:10000}}
GROUP BY f.food_name
ORDER BY times_eaten DESC
LIMIT 10;

-- name: due_reminders
-- title: Active reminders that are due
-- headline: yes
-- kind: read
-- times: 30
SELECT r.id, r.user_id, u.telegram_id, r.reminder_type, r.message, r.next_execution_at
FROM health.reminders r
JOIN health.users u ON u.id = r.user_id
WHERE r.is_active AND r.next_execution_at <= now()
ORDER BY r.next_execution_at
LIMIT 100;

-- name: user_by_telegram_id
-- title: User by telegram id with an active subscription
-- headline: yes
-- kind: read
-- times: 40
SELECT u.id, u.first_name, u.language_code, u.timezone, s.plan, s.expires_at
FROM health.users u
JOIN health.subscriptions s ON s.user_id = u.id
WHERE u.telegram_id = 70000{{int:10000:99999}} AND s.status = 'active' AND s.expires_at > now();

-- name: xp_leaderboard
-- title: XP leaderboard
-- headline: yes
-- kind: read
-- times: 15
SELECT g.user_id, u.first_name, g.total_xp, g.level, g.current_streak
FROM health.user_gamification g
JOIN health.users u ON u.id = g.user_id
ORDER BY g.total_xp DESC
LIMIT 20;

-- name: reminders_of_user
-- title: Reminders of a user
-- headline: no
-- kind: read
-- times: 20
SELECT r.id, r.reminder_type, r.message, r.schedule, r.is_active, r.next_execution_at
FROM health.reminders r
WHERE r.user_id = {{zipf:1:20000}};

-- name: user_by_email
-- title: Sign in by email
-- headline: no
-- kind: read
-- times: 20
SELECT u.id, u.first_name, u.language_code
FROM health.users u
WHERE u.email = 'member{{int:1:100000}}@example.org';

-- name: add_conversation_message
-- title: Store a message
-- headline: no
-- kind: write
-- times: 30
INSERT INTO health.conversation_history (user_id, role, content, message_type, metadata)
VALUES ({{zipf:1:20000}}, 'user',
	'How many calories are in a bowl of oatmeal and blueberries?', 'text', NULL);

-- name: add_food_entry
-- title: Store a food entry
-- headline: no
-- kind: write
-- times: 15
INSERT INTO health.food_entries (user_id, food_name, quantity, unit, calories, nutrients, meal_type)
VALUES ({{zipf:1:10000}}, 'oatmeal with honey', 250, 'g', {{int:150:400}}, '{"protein": 9}', 'breakfast');

-- name: reschedule_reminder
-- title: Reschedule a reminder
-- headline: no
-- kind: write
-- times: 10
UPDATE health.reminders
SET next_execution_at = now() + interval '1 day'
WHERE id = {{int:1:1000}};

-- name: earn_xp
-- title: Add to a user's experience points
-- headline: no
-- kind: write
-- times: 15
UPDATE health.user_gamification
SET total_xp = total_xp + {{int:5:50}}, updated_at = now()
WHERE user_id = {{zipf:1:20000}};
