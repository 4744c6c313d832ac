/* A result for tests, as a run of one target would leave it: 60 seconds at a steady rate, all well. */
#ifndef TESTS_UNIT_LOAD_MADE_RESULT_H
#define TESTS_UNIT_LOAD_MADE_RESULT_H

#include "load/result.h"

#define MADE_SECONDS 60
#define MADE_RATE    1000

static inline struct pgm_load_distribution made_distribution(struct pgm_arena *arena, double ms,
							     uint64_t count)
{
	struct pgm_load_distribution made = {.count = count,
					     .mean_ms = ms,
					     .max_ms = ms * 4,
					     .p50_ms = ms,
					     .p90_ms = ms * 2,
					     .p95_ms = ms * 2,
					     .p99_ms = ms * 3,
					     .p999_ms = ms * 4,
					     .bucket_count = 2};
	made.buckets = PGM_NEW_ARRAY(arena, struct pgm_load_bucket, 2);
	made.buckets[0] = (struct pgm_load_bucket){ms * 0.99, ms * 1.01, count - count / 10};
	made.buckets[1] = (struct pgm_load_bucket){ms * 3.9, ms * 4, count / 10};
	return made;
}

static inline void made_sample(struct pgm_arena *arena, struct pgm_load_sample *sample, double at_s)
{
	*sample = (struct pgm_load_sample){.at_s = at_s,
					   .has_server = true,
					   .backends = 12,
					   .active = 2,
					   .wait_count = 1,
					   .blocks_hit = 990,
					   .blocks_read = 10,
					   .has_machine = true,
					   .cpu_busy = 0.4,
					   .server_busy = 1.1,
					   .generator_busy = 0.2};
	sample->waits = PGM_NEW_ARRAY(arena, struct pgm_load_wait, 2);
	sample->waits[0] = (struct pgm_load_wait){"CPU", "", 2};
}

static inline void made_target(struct pgm_arena *arena, struct pgm_load_target *target, const char *name,
			       double ms)
{
	uint64_t all = (uint64_t)MADE_SECONDS * MADE_RATE;
	*target = (struct pgm_load_target){.name = name,
					   .place = "shop on localhost:5432 as app",
					   .protocol = "prepared",
					   .version = "15.20",
					   .max_connections = 100,
					   .pooler = "",
					   .length_s = MADE_SECONDS,
					   .scheduled = all,
					   .started = all,
					   .done = all,
					   .statements = all,
					   .users_max = 50,
					   .sessions_max = 10,
					   .done_rate = MADE_RATE,
					   .watch_problem = "",
					   .second_count = MADE_SECONDS,
					   .sample_count = MADE_SECONDS};
	target->latency = target->service = made_distribution(arena, ms, all);
	target->seconds = PGM_NEW_ARRAY(arena, struct pgm_load_second, MADE_SECONDS);
	target->samples = PGM_NEW_ARRAY(arena, struct pgm_load_sample, MADE_SECONDS);
	for (size_t i = 0; i < MADE_SECONDS; i++) {
		target->seconds[i] = (struct pgm_load_second){.at_s = (double)i,
							      .length_s = 1,
							      .rate = MADE_RATE,
							      .users = 50,
							      .sessions = 10,
							      .scheduled = MADE_RATE,
							      .started = MADE_RATE,
							      .done = MADE_RATE,
							      .p50_ms = ms,
							      .p95_ms = ms * 2,
							      .p99_ms = ms * 3,
							      .max_ms = ms * 4};
		made_sample(arena, &target->samples[i], (double)i + 0.3);
	}
}

static inline struct pgm_load_result *made_result(struct pgm_arena *arena, double ms)
{
	struct pgm_load_result *result = PGM_NEW(arena, struct pgm_load_result);
	*result = (struct pgm_load_result){.program = "pgmend",
					   .began_unix_s = 1700000000,
					   .length_s = MADE_SECONDS,
					   .planned_s = MADE_SECONDS,
					   .scenario = PGM_LOAD_RATE,
					   .source = "select-only",
					   .rate = MADE_RATE,
					   .arrivals = "poisson",
					   .cores = 2,
					   .generator_busy_max = 0.3,
					   .left_out_why = "",
					   .target_count = 1};
	result->targets = PGM_NEW_ARRAY(arena, struct pgm_load_target, PGM_LOAD_TARGETS_MAX);
	made_target(arena, &result->targets[0], "a", ms);
	return result;
}

/* From a second on, half of what is due is not done. */
static inline void fall_behind(struct pgm_load_target *target, size_t from)
{
	uint64_t backlog = 0;
	for (size_t i = from; i < target->second_count; i++) {
		target->seconds[i].done = MADE_RATE / 2;
		target->seconds[i].backlog = backlog += MADE_RATE / 2;
		target->seconds[i].p95_ms = (double)backlog;
	}
	target->done -= backlog;
	target->done_rate = (double)target->done / target->length_s;
}

#endif
