-- The indexes that somebody who knows these applications would make by hand. pgmend never reads this
-- file: it is the yardstick for its proposals in the tests.

-- feature store: the foreign key that each delete of a feature scans for
CREATE INDEX hand_activations_feature ON feature_store.feature_activations (feature_id);

-- activity log
CREATE INDEX hand_logs_created ON activity_log.activity_logs (created_at DESC);
CREATE INDEX hand_logs_user_created ON activity_log.activity_logs (user_id, created_at DESC);
CREATE INDEX hand_logs_category_action ON activity_log.activity_logs (category, action, created_at DESC);
CREATE INDEX hand_logs_metadata ON activity_log.activity_logs USING gin (metadata jsonb_path_ops);
CREATE INDEX hand_workflows_status ON activity_log.workflow_instances (status, started_at DESC);

-- health assistant: the page of a conversation becomes an index-only scan
CREATE INDEX hand_conversation_page ON health.conversation_history (user_id, created_at DESC)
	INCLUDE (role, content, message_type, metadata);
CREATE INDEX hand_food_user_created ON health.food_entries (user_id, created_at DESC);
CREATE INDEX hand_reminders_due ON health.reminders (next_execution_at) WHERE is_active;
CREATE INDEX hand_users_telegram ON health.users (telegram_id);
CREATE INDEX hand_gamification_xp ON health.user_gamification (total_xp DESC);

-- social: pages and the feed never show what was deleted
CREATE INDEX hand_messages_sender_live ON social.messages (sender_id, created_at DESC)
	WHERE deleted_at IS NULL;
CREATE INDEX hand_posts_user_live ON social.posts (user_id, created_at DESC) WHERE deleted_at IS NULL;

-- annotation tool
CREATE INDEX hand_cache_lookup ON annotation.exercise_cache
	(language, topic, difficulty, exercise_type, expires_at);
CREATE INDEX hand_cache_expiry ON annotation.exercise_cache (expires_at);
CREATE INDEX hand_items_image ON annotation.ai_annotation_items (image_id, confidence DESC);
CREATE INDEX hand_items_confidence ON annotation.ai_annotation_items (confidence);
CREATE INDEX hand_items_queue ON annotation.ai_annotation_items (status, created_at);
CREATE INDEX hand_batch_jobs_status ON annotation.batch_jobs (status, created_at);
CREATE INDEX hand_errors_job ON annotation.batch_job_errors (batch_job_id, created_at);

-- foreign keys that no headline query needs: deletes of a project and of a post scan for them
CREATE INDEX hand_logs_project ON activity_log.activity_logs (project_id);
CREATE INDEX hand_comments_post ON social.comments (post_id);
