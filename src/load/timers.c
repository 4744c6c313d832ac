#include "load/timers.h"

#include <math.h>
#include <stdlib.h>

void pgm_timers_done(struct pgm_timers *timers)
{
	free(timers->heap);
	*timers = (struct pgm_timers){0};
}

static void put(struct pgm_timers *timers, struct pgm_timer *timer, size_t place)
{
	timers->heap[place - 1] = timer;
	timer->place = place;
}

static void sift_up(struct pgm_timers *timers, struct pgm_timer *timer, size_t place)
{
	while (place > 1 && timers->heap[place / 2 - 1]->at_ms > timer->at_ms) {
		put(timers, timers->heap[place / 2 - 1], place);
		place /= 2;
	}
	put(timers, timer, place);
}

static void sift_down(struct pgm_timers *timers, struct pgm_timer *timer, size_t place)
{
	for (;;) {
		size_t child = place * 2;
		if (child > timers->count)
			break;
		if (child < timers->count && timers->heap[child]->at_ms < timers->heap[child - 1]->at_ms)
			child++;
		if (timers->heap[child - 1]->at_ms >= timer->at_ms)
			break;
		put(timers, timers->heap[child - 1], place);
		place = child;
	}
	put(timers, timer, place);
}

void pgm_timer_stop(struct pgm_timers *timers, struct pgm_timer *timer)
{
	size_t place = timer->place;
	if (!place)
		return;
	timer->place = 0;
	struct pgm_timer *last = timers->heap[--timers->count];
	if (last == timer)
		return;
	sift_up(timers, last, place);
	sift_down(timers, last, last->place);
}

void pgm_timer_set(struct pgm_timers *timers, struct pgm_timer *timer, double at_ms)
{
	pgm_timer_stop(timers, timer);
	if (timers->count == timers->capacity) {
		timers->capacity = timers->capacity ? timers->capacity * 2 : 64;
		timers->heap = reallocarray(timers->heap, timers->capacity, sizeof(*timers->heap));
		if (!timers->heap)
			abort();
	}
	timer->at_ms = at_ms;
	sift_up(timers, timer, ++timers->count);
}

double pgm_timers_next_ms(const struct pgm_timers *timers)
{
	return timers->count ? timers->heap[0]->at_ms : INFINITY;
}

void pgm_timers_fire(struct pgm_timers *timers, double now_ms)
{
	while (timers->count && timers->heap[0]->at_ms <= now_ms) {
		struct pgm_timer *timer = timers->heap[0];
		pgm_timer_stop(timers, timer);
		timer->fire(timer, now_ms);
	}
}
