/* The jobs as serve's configuration wants them. */
#include "serve/config/config.h"
#include "serve/job/job.h"

struct pgm_jobs *pgm_jobs_start(const struct pgm_serve_config *config, void (*log)(const char *message),
				struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	bool kept = config->history && *config->history;
	struct pgm_jobs_options options = {
		.path = kept ? pgm_sprintf(arena, "%s.jobs", config->history) : NULL,
		.plans = kept ? pgm_sprintf(arena, "%s.plans", config->history) : NULL,
		.at_once = config->jobs > 0 ? (size_t)config->jobs : 0,
		.log = log,
	};
	struct pgm_jobs *jobs = pgm_jobs_open(&options, err);
	if (!jobs)
		return NULL;
	pgm_jobs_configure(jobs, config);
	return jobs;
}

void pgm_jobs_configure(struct pgm_jobs *jobs, const struct pgm_serve_config *config)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_job_target *targets =
		PGM_NEW_ARRAY(arena, struct pgm_job_target, config->target_count + 1);
	for (size_t i = 0; i < config->target_count; i++)
		targets[i] = (struct pgm_job_target){config->targets[i].name, config->targets[i].conninfo};
	pgm_jobs_set_targets(jobs, targets, config->target_count);
}
