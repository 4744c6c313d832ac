-- The indexes whose estimated size is set beside the built one, over the tables of size_shapes.sql.
-- One statement a line, so that a program can read them line by line.

CREATE INDEX shape_01 ON public.posts (user_id);
CREATE INDEX shape_02 ON public.posts (status);
CREATE INDEX shape_03 ON public.posts (user_id, created_at DESC);
CREATE INDEX shape_04 ON public.posts (user_id, status, created_at);
CREATE INDEX shape_05 ON public.posts (title);
CREATE INDEX shape_06 ON public.comments (post_id);
CREATE INDEX shape_07 ON public.comments (created_at);
CREATE INDEX shape_08 ON public.comments (user_id, post_id);
CREATE INDEX shape_09 ON public.users (email);
CREATE INDEX shape_10 ON public.users (status, deleted_at);
CREATE INDEX shape_11 ON public.posts (user_id) INCLUDE (title);
CREATE INDEX shape_12 ON public.posts (created_at) WHERE status = 'draft';

-- hold-out: shapes and types that the size model must not be fitted to.
CREATE INDEX holdout_01 ON public.items (public_id);
CREATE INDEX holdout_02 ON public.items (price);
CREATE INDEX holdout_03 ON public.items ((meta ->> 'k'));
CREATE INDEX holdout_04 ON public.items (is_active);
CREATE INDEX holdout_05 ON public.items (body);
CREATE INDEX holdout_06 ON public.items (parent_id, reviewer_id, reviewed_at);
CREATE INDEX holdout_07 ON public.items (account_id, happened_at DESC);
CREATE INDEX holdout_08 ON public.items (grade, flag);
CREATE UNIQUE INDEX holdout_09 ON public.users (id) INCLUDE (email);
CREATE INDEX holdout_10 ON public.comments (user_id) WHERE post_id < 250000;
