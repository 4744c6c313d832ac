/*
 * An event loop for one thread, on edge-triggered epoll. A source is registered once and never modified on
 * the hot path: its owner reads until the socket is empty, and asks for "writable" only while bytes wait.
 *
 * Everything here belongs to the loop's thread, but pgm_loop_post(), which any thread may call.
 */
#ifndef PGM_LOOP_LOOP_H
#define PGM_LOOP_LOOP_H

#include "util/error.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>

#define PGM_LOOP_BATCH	  64  /* events fetched by one call */
#define PGM_LOOP_REST_US  400 /* between two looks at those that rest */
#define PGM_LOOP_HURRY_US 100 /* the same where one may be out of room */
#define PGM_LOOP_OUTGOING 128 /* streams written to at a batch's end */
#define PGM_LOOP_SPARES	  128 /* buffers that are kept for the next streams that write */

struct pgm_loop;

/* Something with a file descriptor; embedded in its owner, which ready() finds with container_of. */
struct pgm_source {
	int fd;
	void (*ready)(struct pgm_source *source, uint32_t events);
	struct pgm_source *next_again, *next_resting;
	bool again;   /* ready() is due in the next round, whatever epoll says */
	bool writing; /* it wants to be told when it can be written */
	bool resting; /* it is not told when it can be read: pgm_loop_rest() */
	bool asked;   /* for more of that, since ready() was called */
	bool due;     /* of those that rest: ready() is to be called in this round */
};

/* A message to a loop from another thread; embedded, owned by the receiver once posted. */
struct pgm_letter {
	struct pgm_letter *next;
	void (*deliver)(struct pgm_letter *letter, void *owner);
};

/* Memory that events of this batch may still point to: freed after it. Embedded as the first member. */
struct pgm_grave {
	struct pgm_grave *next;
	void (*release)(struct pgm_grave *grave);
};

struct io_uring;
struct pgm_stream;

struct pgm_loop {
	struct io_uring *ring; /* writes of one batch go to the kernel in one call; NULL: it has none */
	struct pgm_stream *outgoing[PGM_LOOP_OUTGOING]; /* streams with bytes that wait for the batch's end */
	unsigned outgoing_count;
	struct pgm_spare {
		uint8_t *bytes;
		size_t capacity;
	} spares[PGM_LOOP_SPARES]; /* the stream's: those with nothing to write hold no memory */
	unsigned spare_count;
	void *owner; /* given to letters */
	int epoll_fd;
	struct pgm_source wake; /* an eventfd */
	uint64_t now_us;	/* monotonic; as of the event that is handled */
	struct pgm_grave *graves;
	struct pgm_source *again;
	struct pgm_source *resting;
	struct pgm_source *looked_at; /* whose ready() runs, while it rests */
	uint64_t look_us;	      /* when they are looked at */
	bool hurry;		      /* one of them may have had to wait for room */
	int last_count;		      /* events of the last round */
	pthread_mutex_t letters_lock;
	struct pgm_letter *letters, **letters_end;
	bool wake_sent;
};

bool pgm_loop_init(struct pgm_loop *loop, void *owner, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_loop_done(struct pgm_loop *loop);

/* Register for reading, or with extra flags such as EPOLLEXCLUSIVE; -1 with errno. */
int pgm_loop_add(struct pgm_loop *loop, struct pgm_source *source, uint32_t extra);
/* Whether to be told when it can be written, too. */
int pgm_loop_want_write(struct pgm_loop *loop, struct pgm_source *source, bool want);
void pgm_loop_remove(struct pgm_loop *loop, struct pgm_source *source);
/*
 * For a source that is not done, where others have waited long enough: its ready() is called in the next
 * round, without events and without a wait before it. pgm_loop_not_again() takes that back, also when it is
 * closed.
 */
void pgm_loop_again(struct pgm_loop *loop, struct pgm_source *source);
void pgm_loop_not_again(struct pgm_loop *loop, struct pgm_source *source);

/*
 * For a source through which something large comes: instead of each time a piece of that arrives its ready()
 * is called every now and then, when much has gathered; others are served meanwhile as ever. To be called
 * again whenever that brought a large piece, else it ends by itself. pgm_loop_rest_ends() ends it at once,
 * also before the source is closed.
 */
void pgm_loop_rest(struct pgm_loop *loop, struct pgm_source *source);
void pgm_loop_rest_ends(struct pgm_loop *loop, struct pgm_source *source);

/*
 * Wait for events (at most timeout_ms) without lock held, then handle them with it: whoever holds the lock
 * sees the owner at rest.
 */
void pgm_loop_run_once(struct pgm_loop *loop, pthread_mutex_t *lock, int timeout_ms);

/* Any thread. */
void pgm_loop_post(struct pgm_loop *loop, struct pgm_letter *letter);

/* Free when no event of this batch can point to it any more. */
void pgm_loop_bury(struct pgm_loop *loop, struct pgm_grave *grave);

uint64_t pgm_loop_clock_us(void); /* monotonic */

#define pgm_container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
