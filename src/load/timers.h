/*
 * Moments to come, the earliest first: a binary heap. A timer is embedded in its owner; setting one that is
 * set moves it. One thread.
 */
#ifndef PGM_LOAD_TIMERS_H
#define PGM_LOAD_TIMERS_H

#include <stdbool.h>
#include <stddef.h>

struct pgm_timer {
	double at_ms;
	void (*fire)(struct pgm_timer *timer, double now_ms);
	size_t place; /* in the heap, from 1; 0: it is not set */
};

struct pgm_timers {
	struct pgm_timer **heap;
	size_t count, capacity;
};

void pgm_timers_done(struct pgm_timers *timers); /* frees the heap, not the timers */

void pgm_timer_set(struct pgm_timers *timers, struct pgm_timer *timer, double at_ms);
void pgm_timer_stop(struct pgm_timers *timers, struct pgm_timer *timer);

/* When the earliest is; infinite where none is set. */
double pgm_timers_next_ms(const struct pgm_timers *timers);

/* Fire all that are due, the earliest first; those that are set meanwhile too. */
void pgm_timers_fire(struct pgm_timers *timers, double now_ms);

#endif
