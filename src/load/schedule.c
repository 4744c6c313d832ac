#include "load/schedule.h"

#include <math.h>

#define RATE_MIN 0.01 /* transactions a second: what a ramp or spike of rates has at the least */

double pgm_schedule_step_ms(const struct pgm_schedule *schedule)
{
	return schedule->length_ms / (schedule->steps ? schedule->steps : 1);
}

/* Of a ramp: the step (from 0) at a moment. */
static uint32_t step_at(const struct pgm_schedule *schedule, double at_ms)
{
	uint32_t steps = schedule->steps ? schedule->steps : 1;
	double step = at_ms / pgm_schedule_step_ms(schedule);
	return step <= 0 ? 0 : step >= steps ? steps - 1 : (uint32_t)step;
}

/* How much of the most there is meant to be: from 0 to 1. */
static double share_at(const struct pgm_schedule *schedule, double at_ms)
{
	double up, down;
	switch (schedule->scenario) {
	case PGM_LOAD_SPIKE:
		up = at_ms / schedule->climb_ms;
		down = (schedule->length_ms - at_ms) / schedule->climb_ms;
		return fmax(0, fmin(1, fmin(up, down)));
	case PGM_LOAD_RAMP:
		return (step_at(schedule, at_ms) + 1.0) / (schedule->steps ? schedule->steps : 1);
	default:
		return 1;
	}
}

/* The rate decides: then all sessions are there all the time. */
static bool stays(const struct pgm_schedule *schedule, uint32_t user)
{
	return schedule->rate > 0 || (schedule->scenario == PGM_LOAD_SPIKE && user < schedule->base);
}

/* Of a spike: the user's place among those who come and go, above 0 up to 1. */
static double place(const struct pgm_schedule *schedule, uint32_t user)
{
	return (user - schedule->base + 1.0) / (schedule->users - schedule->base);
}

double pgm_schedule_join_ms(const struct pgm_schedule *schedule, uint32_t user)
{
	if (stays(schedule, user))
		return 0;
	if (schedule->scenario == PGM_LOAD_SPIKE)
		return place(schedule, user) * schedule->climb_ms;
	if (schedule->scenario != PGM_LOAD_RAMP)
		return 0;
	/* The first step that has so many users. */
	uint32_t step = (uint32_t)(((uint64_t)user * schedule->steps) / schedule->users);
	return step * pgm_schedule_step_ms(schedule);
}

double pgm_schedule_leave_ms(const struct pgm_schedule *schedule, uint32_t user)
{
	if (schedule->scenario != PGM_LOAD_SPIKE || stays(schedule, user))
		return schedule->length_ms;
	return schedule->length_ms - place(schedule, user) * schedule->climb_ms;
}

uint32_t pgm_schedule_users(const struct pgm_schedule *schedule, double at_ms)
{
	uint32_t come_and_go = schedule->users - schedule->base;
	if (schedule->rate > 0)
		return schedule->users;
	if (schedule->scenario == PGM_LOAD_SPIKE)
		return schedule->base + (uint32_t)(share_at(schedule, at_ms) * come_and_go + 1e-9);
	return (uint32_t)ceil(share_at(schedule, at_ms) * schedule->users - 1e-9);
}

double pgm_schedule_rate(const struct pgm_schedule *schedule, double at_ms)
{
	if (schedule->rate > 0)
		return fmax(RATE_MIN, schedule->rate * share_at(schedule, at_ms));
	return pgm_schedule_users(schedule, at_ms) * 1000.0 / schedule->think_ms;
}

static double gap(const struct pgm_schedule *schedule, struct pgm_random *random, double mean_ms)
{
	return schedule->even ? mean_ms : pgm_random_gap(random, mean_ms);
}

/*
 * Of a rate that changes, as it is now. A gap that is longer than the time until the rate has doubled would
 * be due much too late: a Poisson process has no memory, so it is drawn anew from there.
 */
double pgm_schedule_next(const struct pgm_schedule *schedule, struct pgm_random *random, double at_ms)
{
	if (schedule->rate <= 0)
		return at_ms + gap(schedule, random, schedule->think_ms);
	bool changes = schedule->scenario == PGM_LOAD_SPIKE || schedule->scenario == PGM_LOAD_RAMP;
	double look_ms = schedule->scenario == PGM_LOAD_SPIKE ? schedule->climb_ms / 100
							      : pgm_schedule_step_ms(schedule);
	for (;;) {
		double next = at_ms + gap(schedule, random, 1000 / pgm_schedule_rate(schedule, at_ms));
		double edge = (floor(at_ms / look_ms) + 1) * look_ms;
		if (!changes || next <= edge || edge >= schedule->length_ms)
			return next;
		at_ms = edge;
	}
}

double pgm_schedule_first(const struct pgm_schedule *schedule, struct pgm_random *random, double join_ms)
{
	if (schedule->rate <= 0 && schedule->even)
		return join_ms + pgm_random_double(random) * schedule->think_ms;
	return pgm_schedule_next(schedule, random, join_ms);
}
