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

int pgm_loop_want_write(struct pgm_loop *loop, struct pgm_source *source, bool want)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET | (want ? EPOLLOUT : 0),
				    .data.ptr = source};
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
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

void pgm_loop_remove(struct pgm_loop *loop, struct pgm_source *source)
{
	pgm_loop_not_again(loop, source);
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

/*
 * Under load whoever we wrote to is about to answer: let it run first. What it sends meanwhile wakes nobody,
 * and is found all at once. On an idle machine this is one call that returns at once. Where little happens
 * but a large result going through, it pays to let some of it gather.
 */
static void let_others_run(struct pgm_loop *loop)
{
	static const struct timespec pause = {.tv_nsec = PGM_LOOP_BULK_PAUSE_US * 1000};
	if (loop->bulky && loop->last_count <= 2)
		nanosleep(&pause, NULL);
	else if (loop->last_count > 0)
		sched_yield();
	loop->bulky = false;
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
	let_others_run(loop);
	int count = epoll_wait(loop->epoll_fd, events, PGM_LOOP_BATCH, loop->again ? 0 : timeout_ms);
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
