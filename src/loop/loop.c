#include "loop/loop.h"

#include "loop/outgoing.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

uint64_t pgm_loop_clock_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void deliver_letters(struct pgm_source *source, uint32_t events)
{
	(void)events;
	struct pgm_loop *loop = pgm_container_of(source, struct pgm_loop, wake);
	uint64_t count;
	ssize_t got = read(source->fd, &count, sizeof(count));
	(void)got;
	pthread_mutex_lock(&loop->letters_lock);
	struct pgm_letter *letter = loop->letters;
	loop->letters = NULL;
	loop->letters_end = &loop->letters;
	loop->wake_sent = false;
	pthread_mutex_unlock(&loop->letters_lock);
	while (letter) {
		struct pgm_letter *next = letter->next;
		letter->deliver(letter, loop->owner);
		letter = next;
	}
}

bool pgm_loop_init(struct pgm_loop *loop, void *owner, struct pgm_error *err)
{
	memset(loop, 0, sizeof(*loop));
	loop->owner = owner;
	loop->letters_end = &loop->letters;
	loop->now_us = pgm_loop_clock_us();
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->wake.ready = deliver_letters;
	pthread_mutex_init(&loop->letters_lock, NULL);
	if (loop->epoll_fd < 0 || loop->wake.fd < 0 || pgm_loop_add(loop, &loop->wake, 0) < 0) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "cannot make an event loop: %s", strerror(errno));
		pgm_loop_done(loop);
		return false;
	}
	pgm_outgoing_init(loop);
	return true;
}

static void empty_graves(struct pgm_loop *loop)
{
	while (loop->graves) {
		struct pgm_grave *grave = loop->graves;
		loop->graves = grave->next;
		grave->release(grave);
	}
}

void pgm_loop_done(struct pgm_loop *loop)
{
	empty_graves(loop);
	pgm_outgoing_done(loop);
	while (loop->spare_count)
		free(loop->spares[--loop->spare_count].bytes);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	if (loop->wake.fd >= 0)
		close(loop->wake.fd);
	pthread_mutex_destroy(&loop->letters_lock);
}

int pgm_loop_add(struct pgm_loop *loop, struct pgm_source *source, uint32_t extra)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET | extra, .data.ptr = source};
	/* the kernel takes no EPOLLRDHUP beside EPOLLEXCLUSIVE, and a listener is read level-triggered */
	if (extra & EPOLLEXCLUSIVE)
		event.events = EPOLLIN | EPOLLEXCLUSIVE;
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event);
}

static int watch(struct pgm_loop *loop, struct pgm_source *source)
{
	struct epoll_event event = {.events = (source->resting ? 0 : EPOLLIN | EPOLLRDHUP) | EPOLLET |
					      (source->writing ? EPOLLOUT : 0),
				    .data.ptr = source};
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
}

int pgm_loop_want_write(struct pgm_loop *loop, struct pgm_source *source, bool want)
{
	source->writing = want;
	return watch(loop, source);
}

void pgm_loop_again(struct pgm_loop *loop, struct pgm_source *source)
{
	if (source->again)
		return;
	struct pgm_source **end = &loop->again;
	while (*end)
		end = &(*end)->next_again;
	*end = source;
	source->next_again = NULL;
	source->again = true;
}

void pgm_loop_not_again(struct pgm_loop *loop, struct pgm_source *source)
{
	if (!source->again)
		return;
	struct pgm_source **link = &loop->again;
	while (*link != source)
		link = &(*link)->next_again;
	*link = source->next_again;
	source->again = false;
}

void pgm_loop_rest(struct pgm_loop *loop, struct pgm_source *source)
{
	source->asked = true;
	if (source->resting)
		return;
	if (!loop->resting)
		loop->look_us = loop->now_us + PGM_LOOP_REST_US;
	source->next_resting = loop->resting;
	loop->resting = source;
	source->resting = true;
	(void)!watch(loop, source);
}

static void take_off(struct pgm_loop *loop, struct pgm_source *source)
{
	struct pgm_source **link = &loop->resting;
	while (*link != source)
		link = &(*link)->next_resting;
	*link = source->next_resting;
	source->resting = source->due = false;
	if (loop->looked_at == source)
		loop->looked_at = NULL;
}

void pgm_loop_rest_ends(struct pgm_loop *loop, struct pgm_source *source)
{
	if (!source->resting)
		return;
	take_off(loop, source);
	/* what has come meanwhile is told as an event */
	(void)!watch(loop, source);
}

void pgm_loop_remove(struct pgm_loop *loop, struct pgm_source *source)
{
	pgm_loop_not_again(loop, source);
	if (source->resting)
		take_off(loop, source);
	source->writing = false;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

static struct pgm_source *next_due(const struct pgm_loop *loop)
{
	struct pgm_source *source = loop->resting;
	while (source && !source->due)
		source = source->next_resting;
	return source;
}

/*
 * What one does may end others' rest, or close them; one that rests no longer may be another loop's by now,
 * and is not looked at again.
 */
static void look_at_resting(struct pgm_loop *loop)
{
	for (struct pgm_source *source = loop->resting; source; source = source->next_resting) {
		source->due = true;
		source->asked = false;
	}
	loop->hurry = false;
	for (struct pgm_source *source = next_due(loop); source; source = next_due(loop)) {
		source->due = false;
		loop->now_us = pgm_loop_clock_us();
		loop->looked_at = source;
		source->ready(source, EPOLLIN);
		if (loop->looked_at && !source->asked)
			pgm_loop_rest_ends(loop, source);
	}
	loop->looked_at = NULL;
	loop->look_us = loop->now_us + (loop->hurry ? PGM_LOOP_HURRY_US : PGM_LOOP_REST_US);
}

/*
 * Under load whoever we wrote to is about to answer: let it run first. What it sends meanwhile wakes nobody,
 * and is found all at once. On an idle machine this is one call that returns at once.
 */
static int wait_for_events(struct pgm_loop *loop, struct epoll_event *events, int timeout_ms)
{
	struct timespec left = {0};
	if (loop->last_count > 0)
		sched_yield();
	if (loop->again)
		timeout_ms = 0;
	if (!loop->resting || timeout_ms == 0)
		return epoll_wait(loop->epoll_fd, events, PGM_LOOP_BATCH, timeout_ms);
	uint64_t now = pgm_loop_clock_us();
	if (now < loop->look_us)
		left.tv_nsec = (long)(loop->look_us - now) * 1000;
	int count = epoll_pwait2(loop->epoll_fd, events, PGM_LOOP_BATCH, &left, NULL);
	if (count < 0 && errno != EINTR) /* before Linux 5.11 */
		count = epoll_wait(loop->epoll_fd, events, PGM_LOOP_BATCH, 1);
	return count;
}

/* The first `due` of them; the others were put off in this round. */
static void run_again(struct pgm_loop *loop, unsigned due)
{
	for (; due && loop->again; due--) {
		struct pgm_source *source = loop->again;
		pgm_loop_not_again(loop, source);
		loop->now_us = pgm_loop_clock_us();
		source->ready(source, 0);
	}
}

void pgm_loop_run_once(struct pgm_loop *loop, pthread_mutex_t *lock, int timeout_ms)
{
	struct epoll_event events[PGM_LOOP_BATCH];
	int count = wait_for_events(loop, events, timeout_ms);
	pthread_mutex_lock(lock);
	unsigned due = 0;
	for (struct pgm_source *source = loop->again; source; source = source->next_again)
		due++;
	loop->last_count = count + (int)due;
	for (int i = 0; i < count; i++) {
		struct pgm_source *source = events[i].data.ptr;
		loop->now_us = pgm_loop_clock_us();
		/* one that an event before it closed stays in its grave until the batch is done */
		if (source->fd >= 0)
			source->ready(source, events[i].events);
	}
	run_again(loop, due);
	if (loop->resting && ((count <= 0 && !due) || loop->now_us >= loop->look_us))
		look_at_resting(loop);
	pgm_outgoing_flush(loop);
	if (count <= 0)
		loop->now_us = pgm_loop_clock_us();
	empty_graves(loop);
	pthread_mutex_unlock(lock);
}

void pgm_loop_post(struct pgm_loop *loop, struct pgm_letter *letter)
{
	letter->next = NULL;
	pthread_mutex_lock(&loop->letters_lock);
	*loop->letters_end = letter;
	loop->letters_end = &letter->next;
	bool wake = !loop->wake_sent;
	loop->wake_sent = true;
	pthread_mutex_unlock(&loop->letters_lock);
	if (wake) {
		uint64_t one = 1;
		ssize_t written = write(loop->wake.fd, &one, sizeof(one));
		(void)written;
	}
}

void pgm_loop_bury(struct pgm_loop *loop, struct pgm_grave *grave)
{
	grave->next = loop->graves;
	loop->graves = grave;
}
