/*
 * A session's life: it joins, connects, connects again when it was lost, and leaves.
 */
#include "load/engine.h"

#include "load/values.h"
#include "util/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define AGAIN_BASE_MS 100 /* between attempts to connect: twice as long each time, up to the cap */
#define AGAIN_CAP_MS  5000
#define CONNECT_MS    15000 /* libpq leaves it to whoever polls to lose patience */

#define OF_TIMER(timer_, member) \
	((struct session *)(void *)((char *)(timer_)-offsetof(struct session, member)))

static void on_presence(struct pgm_timer *timer, double now_local_ms)
{
	struct session *session = OF_TIMER(timer, presence);
	(void)now_local_ms;
	if (session->in_play)
		session_leave(session);
	else
		session_join(session);
}

static void connect_now(struct session *session);
static void refused(struct session *session, const char *code, const char *message);

static void on_timer(struct pgm_timer *timer, double now_ms)
{
	struct session *session = OF_TIMER(timer, timer);
	if (session->state == SESSION_DOWN)
		connect_now(session);
	else if (session->state == SESSION_CONNECTING)
		refused(session, "refused", "no connection within 15 s");
	else if (session->state == SESSION_SLEEPING)
		session_woken(session, now_ms);
}

void session_init(struct session *session, struct target *target, struct lane *lane, uint32_t user)
{
	const struct pgm_load_options *options = target->engine->options;
	session->target = target;
	session->lane = lane;
	session->user = user;
	session->fd = -1;
	session->presence.fire = on_presence;
	session->timer.fire = on_timer;
	session->values = calloc(options->scripts->variables.names.count + 1, sizeof(*session->values));
	session->prepared = calloc(options->scripts->sql_count + 1, sizeof(*session->prepared));
	if (!session->values || !session->prepared)
		abort();
	/* The same user of each target draws the same. */
	pgm_random_seed(&session->random, options->seed ^ (uint64_t)(user + 1) << 20);
	for (size_t i = 0; i < options->define_count; i++) {
		char *text = strdup(options->defines[i].value);
		if (!text)
			abort();
		struct pgm_load_value *value = &session->values[options->defines[i].slot];
		if (value->kind == PGM_LOAD_TEXT)
			free(value->text);
		*value = (struct pgm_load_value){PGM_LOAD_TEXT, {.text = text}};
	}
	if (options->client_slot != SIZE_MAX)
		session->values[options->client_slot] =
			(struct pgm_load_value){PGM_LOAD_INT, {.integer = user}};
	pgm_timer_set(&target->timers, &session->presence, pgm_schedule_join_ms(&options->schedule, user));
}

static void unplug(struct session *session)
{
	if (session->fd >= 0)
		epoll_ctl(session->target->engine->epoll_fd, EPOLL_CTL_DEL, session->fd, NULL);
	session->fd = -1;
	pgm_async_close(session->async);
	session->async = NULL;
}

void session_done(struct session *session)
{
	unplug(session);
	for (size_t i = 0; i < session->target->engine->options->scripts->variables.names.count; i++)
		if (session->values[i].kind == PGM_LOAD_TEXT)
			free(session->values[i].text);
	free(session->values);
	free(session->prepared);
}

/* libpq may open another socket while it connects, perhaps with the number of the last. */
bool session_watch(struct session *session)
{
	int fd = pgm_async_fd(session->async);
	unsigned events = pgm_async_events(session->async);
	bool connecting = session->state == SESSION_CONNECTING;
	if (fd == session->fd && events == session->events && !connecting)
		return true;
	struct epoll_event event = {.events = events, .data.ptr = session};
	int epoll_fd = session->target->engine->epoll_fd;
	bool ok = fd >= 0;
	if (ok && epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0)
		ok = errno == ENOENT && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
	session->fd = ok ? fd : -1;
	session->events = events;
	return ok;
}

static bool is_connected(const struct session *session)
{
	return session->state != SESSION_AWAY && session->state != SESSION_DOWN &&
	       session->state != SESSION_CONNECTING;
}

void session_gone(struct session *session)
{
	lane_forget(session->lane, session);
	pgm_timer_stop(&session->target->engine->timers, &session->timer);
	session->target->connected -= is_connected(session);
	unplug(session);
	memset(session->prepared, 0, session->target->engine->options->scripts->sql_count);
	session->state = SESSION_AWAY;
}

static void connect_later(struct session *session)
{
	double wait_ms = session->attempts
				 ? pgm_clock_backoff_ms(session->attempts - 1, AGAIN_BASE_MS, AGAIN_CAP_MS)
				 : 0;
	session->state = SESSION_DOWN;
	session->attempts++;
	pgm_timer_set(&session->target->engine->timers, &session->timer, pgm_clock_ms() + wait_ms);
}

/* Whoever waits for a session that cannot be had is told so, as an application's users would be. */
static void refused(struct session *session, const char *code, const char *message)
{
	struct target *target = session->target;
	if (target->result->connects_failed++ == 0)
		target->result->refusal = pgm_sprintf(target->engine->arena, "%s: %s", code, message);
	session->tried = true;
	if (target->lane_count > 1 || target->connected == 0)
		lane_fail(session->lane, code, message);
	session_gone(session); /* and with it the message */
	if (session->leaving || target->engine->ending)
		return;
	session->attempts += session->attempts == 0;
	connect_later(session);
}

static void lost(struct session *session, const char *code, const char *message)
{
	session_fail(session, code, message);
	/* Who leaves does not connect again, and nobody else serves its lane: a rate's sessions stay. */
	if (session->leaving)
		lane_fail(session->lane, code, message);
	session_gone(session);
	if (session->leaving || session->target->engine->ending)
		return;
	session->target->result->reconnects++;
	session->attempts = 0;
	connect_later(session);
}

static void connect_now(struct session *session)
{
	struct target *target = session->target;
	session->state = SESSION_CONNECTING;
	session->connect_ms = pgm_clock_ms();
	pgm_timer_set(&target->engine->timers, &session->timer, session->connect_ms + CONNECT_MS);
	session->async = pgm_async_open(&target->connect->connection, target->guard_options);
	if (!session->async)
		refused(session, "refused", "out of memory");
	else
		session_ready(session, session->connect_ms);
}

void session_join(struct session *session)
{
	struct target *target = session->target;
	const struct pgm_schedule *schedule = &target->engine->options->schedule;
	double leave_ms = pgm_schedule_leave_ms(schedule, session->user);
	session->in_play = true;
	if (++target->in_play > target->result->users_max)
		target->result->users_max = target->in_play;
	pgm_timer_stop(&target->timers, &session->presence);
	if (leave_ms < schedule->length_ms)
		pgm_timer_set(&target->timers, &session->presence, leave_ms);
	/* A rate's lane is the target's, and opened by the run. */
	if (schedule->rate <= 0)
		lane_open(session->lane, pgm_schedule_join_ms(schedule, session->user), leave_ms);
	connect_now(session);
}

void session_leave(struct session *session)
{
	session->leaving = true;
	session->in_play = false;
	session->target->in_play--;
	lane_close(session->lane);
	if (session->state == SESSION_IDLE) {
		session_gone(session);
	} else if (session->state == SESSION_DOWN) {
		pgm_timer_stop(&session->target->engine->timers, &session->timer);
		session_gone(session);
		lane_fail(session->lane, "refused", "no connection until the user left");
	}
}

/* What comes between the connection and work. */
static void next_preparation(struct session *session, double now_ms)
{
	const struct pgm_load_options *options = session->target->engine->options;
	const struct pgm_scripts *scripts = options->scripts;
	bool eager = options->protocol == PGM_LOAD_PREPARED && scripts->sql_count <= EAGER_PREPARES_MAX;
	char name[32];
	for (; eager && session->preparing < scripts->sql_count; session->preparing++) {
		const struct pgm_command *command = pgm_scripts_command(scripts, session->preparing);
		if (command->values && command->values->text_count)
			continue;
		session->state = SESSION_PREPARING;
		snprintf(name, sizeof(name), "p%zu", session->preparing);
		pgm_async_prepare(session->async, name, command->sql);
		session_watch(session);
		return;
	}
	session->state = SESSION_IDLE;
	session->tried = true;
	session->attempts = 0;
	session_work(session, now_ms);
}

static void connected(struct session *session, double now_ms)
{
	struct target *target = session->target;
	pgm_timer_stop(&target->engine->timers, &session->timer);
	pgm_tally_connected(&target->tally, now_ms - session->connect_ms);
	target->connected++;
	if (target->connected > target->result->sessions_max)
		target->result->sessions_max = target->connected;
	session->preparing = 0;
	if (target->guard_set) {
		session->state = SESSION_GUARDING;
		pgm_async_query(session->async, "SET default_transaction_read_only = on");
		session_watch(session);
		return;
	}
	session->state = SESSION_PREPARING;
	next_preparation(session, now_ms);
}

static void answered(struct session *session, const struct pgm_async_outcome *outcome, double now_ms)
{
	if (session->state == SESSION_GUARDING) {
		if (outcome->failed) /* nothing may be run without it */
			lost(session, outcome->code, outcome->message);
		else
			next_preparation(session, now_ms);
		return;
	}
	if (session->state == SESSION_PREPARING) {
		/* One that cannot be prepared fails when it is run, and is counted there. */
		session->prepared[session->preparing++] = !outcome->failed;
		next_preparation(session, now_ms);
		return;
	}
	session_answered(session, outcome, now_ms);
}

void session_ready(struct session *session, double now_ms)
{
	struct pgm_async_outcome outcome = {0};
	if (!session->async)
		return; /* an event of a socket that was closed since */
	switch (pgm_async_step(session->async, &outcome)) {
	case PGM_ASYNC_WAITING:
		if (!session_watch(session)) {
			if (session->state == SESSION_CONNECTING)
				refused(session, "refused", "no socket");
			else
				lost(session, "closed", "no socket");
		}
		return;
	case PGM_ASYNC_READY:
		session_watch(session);
		connected(session, now_ms);
		return;
	case PGM_ASYNC_ANSWERED:
		answered(session, &outcome, now_ms);
		return;
	case PGM_ASYNC_LOST:
		if (session->state == SESSION_CONNECTING)
			refused(session, outcome.code, outcome.message);
		else
			lost(session, outcome.code, outcome.message);
		return;
	}
}
