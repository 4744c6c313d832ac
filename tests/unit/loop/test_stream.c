/* Streams over a socket pair, in a loop that is turned by hand. */
#include "../cmocka_all.h"

#include "loop/stream.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct end {
	struct pgm_loop loop;
	struct pgm_stream stream;
	int peer;
	uint32_t events;      /* all that was reported */
	unsigned went_on;     /* how often what waited had gone */
	const uint8_t *large; /* not NULL: to be written when something comes, behind a few bytes */
	size_t large_size;
	size_t emptied;	       /* read by the peer while the batch was still going on */
	struct pgm_loop *next; /* not NULL: when something comes the stream goes there, and rests there */
};

static size_t drain(int fd)
{
	uint8_t bytes[65536];
	size_t total = 0;
	ssize_t got;
	while ((got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		total += (size_t)got;
	return total;
}

static void ready(struct pgm_source *source, uint32_t events)
{
	struct end *end = pgm_container_of(source, struct end, stream.source);
	bool waited = pgm_stream_waiting(&end->stream) > 0;
	end->events |= events;
	assert_true(pgm_stream_note(&end->stream, events));
	if (waited && pgm_stream_waiting(&end->stream) == 0)
		end->went_on++;
	if (end->next) {
		pgm_stream_leave(&end->stream);
		assert_true(pgm_stream_join(&end->stream, end->next));
		pgm_loop_rest(end->next, source);
		source->asked = false; /* as at the begin of a look there */
		end->next = NULL;
		return;
	}
	uint8_t byte;
	size_t got;
	if (pgm_stream_read(&end->stream, &byte, 1, &got) != PGM_STREAM_DATA || !end->large)
		return;
	/* the first is put off to the batch's end, the second is more than the socket takes */
	assert_true(pgm_stream_write(&end->stream, "few", 3));
	assert_true(pgm_stream_write(&end->stream, end->large, end->large_size));
	end->large = NULL;
	assert_true(pgm_stream_waiting(&end->stream) > 0);
	/* and then the peer makes room for the rest before the batch is over */
	end->emptied = drain(end->peer);
	assert_true(end->emptied > 0);
}

static void open_end(struct end *end)
{
	int fds[2];
	memset(end, 0, sizeof(*end));
	static const struct sockaddr peer = {.sa_family = AF_UNIX};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_true(pgm_loop_init(&end->loop, NULL, NULL));
	assert_true(pgm_stream_open(&end->stream, &end->loop, fds[0], &peer, ready));
	end->peer = fds[1];
}

static void close_end(struct end *end)
{
	pgm_stream_close(&end->stream);
	close(end->peer);
	pgm_loop_done(&end->loop);
}

/* Who waits until a stream has taken all is told so, also where that happens at the end of a batch. */
static void test_room_is_reported(void **state)
{
	(void)state;
	static uint8_t large[250000];
	struct end end;
	open_end(&end);
	end.large = large;
	end.large_size = sizeof(large);
	assert_int_equal(write(end.peer, "x", 1), 1);
	size_t got = 0;
	for (int i = 0; i < 50 && !end.went_on; i++) {
		pgm_loop_run_once(&end.loop, &lock, 10);
		got += drain(end.peer);
	}
	assert_int_equal(end.went_on, 1);
	got += drain(end.peer);
	assert_int_equal(got + end.emptied, sizeof(large) + 3);
	close_end(&end);
}

/* What was put off goes out at the batch's end. */
static void test_small_writes_go_together(void **state)
{
	(void)state;
	struct end end;
	open_end(&end);
	for (int i = 0; i < 10; i++)
		assert_true(pgm_stream_write(&end.stream, "0123456789", 10));
	assert_int_equal(pgm_stream_waiting(&end.stream), 0);
	pgm_loop_run_once(&end.loop, &lock, 0);
	assert_int_equal(drain(end.peer), 100);
	close_end(&end);
}

/* A piece of so many bytes comes. */
static void send_piece(struct end *end, size_t size)
{
	static const uint8_t piece[PGM_STREAM_PIECE];
	assert_int_equal(write(end->peer, piece, size), size);
}

static void pass_piece(struct end *end, size_t size)
{
	uint8_t bytes[PGM_STREAM_PIECE * 2];
	size_t got;
	send_piece(end, size);
	end->stream.readable = true;
	assert_int_equal(pgm_stream_read(&end->stream, bytes, sizeof(bytes), &got), PGM_STREAM_DATA);
	assert_int_equal(got, size);
}

static void make_rest(struct end *end)
{
	for (size_t bytes = 0; bytes < PGM_STREAM_BULK_BYTES; bytes += PGM_STREAM_PIECE) {
		assert_false(end->stream.source.resting);
		pass_piece(end, PGM_STREAM_PIECE);
	}
	assert_true(end->stream.source.resting);
}

/* More of it is waited for only once much of one answer has come, and not behind the answer's end. */
static void test_what_is_large_gathers(void **state)
{
	(void)state;
	struct end end;
	open_end(&end);
	for (size_t bytes = PGM_STREAM_PIECE; bytes < PGM_STREAM_BULK_BYTES; bytes += PGM_STREAM_PIECE)
		pass_piece(&end, PGM_STREAM_PIECE);
	pass_piece(&end, 10);
	make_rest(&end);
	pgm_stream_bulk_ends(&end.stream);
	make_rest(&end);
	close_end(&end);
}

/* While it gathers no event tells of it, but it is looked at; and where that finds little, events tell again.
 */
static void test_what_gathers_is_looked_at(void **state)
{
	(void)state;
	struct end end;
	struct epoll_event event;
	open_end(&end);
	pgm_loop_run_once(&end.loop, &lock, 0);
	make_rest(&end);
	send_piece(&end, 1);
	assert_int_equal(epoll_wait(end.loop.epoll_fd, &event, 1, 0), 0);
	end.events = 0;
	for (int i = 0; i < 10000 && !end.events; i++)
		pgm_loop_run_once(&end.loop, &lock, 10);
	assert_int_equal(end.events, EPOLLIN);
	assert_false(end.stream.source.resting);
	send_piece(&end, 1);
	assert_int_equal(epoll_wait(end.loop.epoll_fd, &event, 1, 0), 1);
	assert_ptr_equal(event.data.ptr, &end.stream.source);
	assert_int_equal(drain(end.stream.source.fd), 1);
	pgm_stream_bulk_ends(&end.stream);
	/* what came before its rest ended is not lost, either */
	make_rest(&end);
	send_piece(&end, 1);
	pgm_stream_bulk_ends(&end.stream);
	assert_int_equal(epoll_wait(end.loop.epoll_fd, &event, 1, 0), 1);
	close_end(&end);
}

/* One that is given to another loop while it is looked at is that loop's: it rests there undisturbed. */
static void test_what_gathers_may_leave(void **state)
{
	(void)state;
	struct end end, other;
	open_end(&end);
	open_end(&other);
	make_rest(&end);
	end.next = &other.loop;
	for (int i = 0; i < 10000 && end.next; i++)
		pgm_loop_run_once(&end.loop, &lock, 10);
	assert_null(end.next);
	assert_null(end.loop.resting);
	assert_ptr_equal(other.loop.resting, &end.stream.source);
	assert_true(end.stream.source.resting);
	close_end(&end);
	assert_null(other.loop.resting);
	close_end(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room_is_reported),
		cmocka_unit_test(test_small_writes_go_together),
		cmocka_unit_test(test_what_is_large_gathers),
		cmocka_unit_test(test_what_gathers_is_looked_at),
		cmocka_unit_test(test_what_gathers_may_leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
