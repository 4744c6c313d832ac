#include "load/engine.h"

#include <stdlib.h>

#define OF_TIMER(timer_) ((struct lane *)(void *)((char *)(timer_)-offsetof(struct lane, timer)))

static void push(struct lane *lane, double due_ms)
{
	if (lane->count == lane->capacity) {
		size_t capacity = lane->capacity ? lane->capacity * 2 : 8;
		double *ring = calloc(capacity, sizeof(*ring));
		if (!ring)
			abort();
		for (size_t i = 0; i < lane->count; i++)
			ring[i] = lane->due_ms[(lane->first + i) % lane->capacity];
		free(lane->due_ms);
		lane->due_ms = ring;
		lane->capacity = capacity;
		lane->first = 0;
	}
	lane->due_ms[(lane->first + lane->count++) % lane->capacity] = due_ms;
	lane->target->backlog++;
}

bool lane_take(struct lane *lane, double *due_ms)
{
	if (!lane->count)
		return false;
	*due_ms = lane->due_ms[lane->first];
	lane->first = (lane->first + 1) % lane->capacity;
	lane->count--;
	lane->target->backlog--;
	return true;
}

void lane_wait(struct lane *lane, struct session *session)
{
	session->next_idle = NULL;
	if (lane->idle)
		lane->idle_last->next_idle = session;
	else
		lane->idle = session;
	lane->idle_last = session;
}

void lane_forget(struct lane *lane, struct session *session)
{
	struct session *before = NULL, *at = lane->idle;
	while (at && at != session) {
		before = at;
		at = at->next_idle;
	}
	if (!at)
		return;
	if (before)
		before->next_idle = session->next_idle;
	else
		lane->idle = session->next_idle;
	if (lane->idle_last == session)
		lane->idle_last = before;
}

void lane_fail(struct lane *lane, const char *code, const char *message)
{
	double due_ms;
	while (lane_take(lane, &due_ms))
		pgm_tally_failed(&lane->target->tally, SIZE_MAX, code, message);
}

/*
 * One is due: at its time on the clock, however late we are. Nobody else looks at what is due, so it is
 * given to the session that has waited longest.
 */
static void due(struct pgm_timer *timer, double now_local_ms)
{
	struct lane *lane = OF_TIMER(timer);
	struct target *target = lane->target;
	double at_ms = timer->at_ms, due_ms = at_ms + target->offset_ms;
	double next_ms = pgm_schedule_next(&target->engine->options->schedule, &lane->random, at_ms);
	if (next_ms < lane->until_ms)
		pgm_timer_set(&target->timers, &lane->timer, next_ms);
	pgm_tally_scheduled(&target->tally);
	if (target->backlog >= PGM_LOAD_BACKLOG_MAX) {
		pgm_tally_failed(&target->tally, SIZE_MAX, "unfinished",
				 "too many transactions were due and not begun");
		target->result->unfinished++;
		return;
	}
	push(lane, due_ms);
	struct session *session = lane->idle;
	if (session)
		session_work(session, now_local_ms + target->offset_ms);
}

void lane_init(struct lane *lane, struct target *target, uint64_t seed)
{
	lane->target = target;
	lane->timer.fire = due;
	pgm_random_seed(&lane->random, seed);
}

void lane_done(struct lane *lane)
{
	free(lane->due_ms);
}

void lane_open(struct lane *lane, double from_ms, double until_ms)
{
	struct target *target = lane->target;
	double first = pgm_schedule_first(&target->engine->options->schedule, &lane->random, from_ms);
	lane->until_ms = until_ms;
	if (first < until_ms)
		pgm_timer_set(&target->timers, &lane->timer, first);
}

void lane_close(struct lane *lane)
{
	pgm_timer_stop(&lane->target->timers, &lane->timer);
}
