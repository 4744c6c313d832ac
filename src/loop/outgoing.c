#include "loop/outgoing.h"

#include <liburing.h>
#include <stdlib.h>
#include <sys/socket.h>

void pgm_outgoing_init(struct pgm_loop *loop)
{
	loop->ring = malloc(sizeof(*loop->ring));
	/* containers often forbid it, old kernels do not have it */
	if (loop->ring && io_uring_queue_init(PGM_LOOP_OUTGOING, loop->ring, 0) < 0) {
		free(loop->ring);
		loop->ring = NULL;
	}
}

void pgm_outgoing_done(struct pgm_loop *loop)
{
	if (!loop->ring)
		return;
	io_uring_queue_exit(loop->ring);
	free(loop->ring);
	loop->ring = NULL;
}

bool pgm_outgoing_add(struct pgm_stream *stream)
{
	struct pgm_loop *loop = stream->loop;
	if (stream->outgoing)
		return true;
	if (!loop->ring || loop->outgoing_count == PGM_LOOP_OUTGOING)
		return false;
	loop->outgoing[loop->outgoing_count++] = stream;
	stream->outgoing = true;
	return true;
}

void pgm_outgoing_remove(struct pgm_stream *stream)
{
	struct pgm_loop *loop = stream->loop;
	if (!stream->outgoing)
		return;
	stream->outgoing = false;
	for (unsigned i = 0; i < loop->outgoing_count; i++)
		if (loop->outgoing[i] == stream) {
			loop->outgoing[i] = loop->outgoing[--loop->outgoing_count];
			return;
		}
}

static void submit(struct pgm_loop *loop)
{
	unsigned count = 0;
	for (unsigned i = 0; i < loop->outgoing_count; i++) {
		struct pgm_stream *stream = loop->outgoing[i];
		if (stream->blocked || stream->out_end == stream->out_sent)
			continue; /* more came since, and went out with it */
		count++;
		struct io_uring_sqe *sqe = io_uring_get_sqe(loop->ring);
		io_uring_prep_send(sqe, stream->source.fd, stream->out + stream->out_sent,
				   stream->out_end - stream->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		io_uring_sqe_set_data64(sqe, i);
	}
	if (!count)
		return;
	/* MSG_DONTWAIT: each is done or refused within the call */
	int taken = io_uring_submit_and_wait(loop->ring, count);
	struct io_uring_cqe *cqe;
	while (io_uring_peek_cqe(loop->ring, &cqe) == 0) {
		struct pgm_stream *stream = loop->outgoing[io_uring_cqe_get_data64(cqe)];
		if (cqe->res > 0)
			stream->out_sent += (size_t)cqe->res;
		io_uring_cqe_seen(loop->ring, cqe);
	}
	/* requests that stayed behind point to bytes that will not be there: no more of this ring */
	if (taken != (int)count)
		pgm_outgoing_done(loop);
}

void pgm_outgoing_flush(struct pgm_loop *loop)
{
	while (loop->outgoing_count) {
		if (loop->outgoing_count > 1)
			submit(loop);
		unsigned count = loop->outgoing_count;
		loop->outgoing_count = 0;
		for (unsigned i = 0; i < count; i++) {
			struct pgm_stream *stream = loop->outgoing[i];
			stream->outgoing = false;
			/* more came since than the socket took: who waits for that is told by its event alone
			 */
			if (stream->blocked)
				continue;
			/* what is left goes the plain way, which also finds out what is wrong */
			if (!pgm_stream_flush(stream))
				pgm_stream_broke(stream);
		}
	}
}
