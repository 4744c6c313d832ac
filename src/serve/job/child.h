/*
 * One child process: pgmend itself with other arguments, its standard output and error on pipes.
 *
 * It belongs to the thread that started it: the kernel tells the child (SIGTERM) when that thread ends, which
 * is how children never outlive serve.
 */
#ifndef PGM_SERVE_JOB_CHILD_H
#define PGM_SERVE_JOB_CHILD_H

#include "util/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pgm_child {
	pid_t pid;  /* 0: none */
	int out;    /* what it prints; not blocking; -1: closed */
	int err;    /* likewise */
	int exited; /* readable when it has ended; -1 where the kernel cannot say */
};

struct pgm_child_request {
	const char *const *argv; /* without the program's name; NULL at the end */
	const char *conninfo;	 /* for its environment */
	const char *actor;	 /* likewise; NULL: none */
};

bool pgm_child_start(struct pgm_child *child, const struct pgm_child_request *request,
		     struct pgm_error *err) PGM_MUST_CHECK;

/* Whether it has ended: then it is reaped, and *code is its exit code, or 128 and the signal's number. */
bool pgm_child_ended(struct pgm_child *child, int *code);

void pgm_child_signal(const struct pgm_child *child, int number);
int64_t pgm_child_memory(const struct pgm_child *child); /* resident bytes; 0: not known */
void pgm_child_close(struct pgm_child *child);		 /* its pipes; it must have been reaped */

/* What was printed, up to a limit. */
struct pgm_child_text {
	char *text; /* NUL-terminated, or NULL: nothing yet */
	size_t length, capacity, limit;
	bool cut; /* there was more than limit */
};

void pgm_child_text_add(struct pgm_child_text *text, const char *bytes, size_t length);
void pgm_child_text_done(struct pgm_child_text *text);

/* Read what there is: -1 and closed at its end. Bytes go to sink. */
void pgm_child_read(int *fd, void (*sink)(void *data, const char *bytes, size_t length), void *data);

#endif
