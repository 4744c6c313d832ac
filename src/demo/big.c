#include "demo/big.h"

#define LOGS "activity_log.activity_logs"

const struct pgm_demo_big pgm_demo_big = {
	.table = LOGS,
	.key = "created_at",
	.queries = {{"Last 30 days by level",
		     "SELECT level, count(*) FROM " LOGS
		     " WHERE created_at >= now() - interval '30 days' GROUP BY level"},
		    {"Last 30 days, busiest actions",
		     "SELECT category, action, count(*), max(message) FROM " LOGS
		     " WHERE created_at >= now() - interval '30 days' GROUP BY category, action ORDER BY 3 "
		     "DESC LIMIT 10"},
		    {"Last week of a user", "SELECT id, category, action, message FROM " LOGS
					    " WHERE user_id = 42 AND created_at >= now() - interval '7 days' "
					    "ORDER BY created_at DESC"}},
	.parent = "feature_store.training_jobs",
	.where = "id = 2",
};
