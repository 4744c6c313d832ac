/*
 * Writes that were put off to the end of a batch of events. With io_uring they go to the kernel in one call,
 * so that the thread is not switched away after each of them; without it, one by one. Inside loop/ only.
 */
#ifndef PGM_LOOP_OUTGOING_H
#define PGM_LOOP_OUTGOING_H

#include "loop/stream.h"

#define PGM_OUTGOING_BYTES ((size_t)16 << 10) /* more than this of one stream is written at once */

void pgm_outgoing_init(struct pgm_loop *loop); /* without io_uring, silently so */
void pgm_outgoing_done(struct pgm_loop *loop);

/* False: no room, or no io_uring: write now. */
bool pgm_outgoing_add(struct pgm_stream *stream);
void pgm_outgoing_remove(struct pgm_stream *stream);
void pgm_outgoing_flush(struct pgm_loop *loop);

/* Writing failed outside of its owner's hands: it will read the end of the connection. (stream.c) */
void pgm_stream_broke(struct pgm_stream *stream);

#endif
