/*
 * When users come and go, and when the next transaction is due. Time is a target's own, in milliseconds from
 * its begin: it stands still while another target of an A/B run has its slice.
 *
 * Every scenario is open-loop: what is due does not depend on what was done. A user is due again on average
 * think_ms after it was due, not after it was served.
 */
#ifndef PGM_LOAD_SCHEDULE_H
#define PGM_LOAD_SCHEDULE_H

#include "load/random.h"
#include "load/result.h"

struct pgm_schedule {
	enum pgm_load_scenario scenario;
	double length_ms;
	uint32_t users;	 /* the most; with a rate: sessions that serve it */
	double rate;	 /* transactions a second, the most; 0: users decide */
	double think_ms; /* between a user's transactions */
	bool even;	 /* the same gap each time; else a Poisson process */
	double climb_ms; /* of a spike: so long up, and so long down at the end */
	uint32_t base;	 /* of a spike: users that are there all the time */
	uint32_t steps;	 /* of a ramp */
};

/* When a user (0 is the first) comes and when it leaves. */
double pgm_schedule_join_ms(const struct pgm_schedule *schedule, uint32_t user);
double pgm_schedule_leave_ms(const struct pgm_schedule *schedule, uint32_t user);

/* How many of them there are meant to be. */
uint32_t pgm_schedule_users(const struct pgm_schedule *schedule, double at_ms);

/* Transactions a second that are meant to be due. */
double pgm_schedule_rate(const struct pgm_schedule *schedule, double at_ms);

double pgm_schedule_step_ms(const struct pgm_schedule *schedule); /* of a ramp: how long a step is */

/* When what follows a transaction that was due at at_ms is due: a user's next, or the rate's. */
double pgm_schedule_next(const struct pgm_schedule *schedule, struct pgm_random *random, double at_ms);

/* When the first is due of a user that came at join_ms, so that they are not all due at once. */
double pgm_schedule_first(const struct pgm_schedule *schedule, struct pgm_random *random, double join_ms);

#endif
