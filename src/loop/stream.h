/*
 * A connected, non-blocking socket with bytes that wait to be written; plain or TLS. Embedded in its owner,
 * belongs to its loop's thread.
 *
 * Reading is edge-triggered: after an event, read until pgm_stream_read() says PGM_STREAM_WAIT. A plain read
 * that returns less than was asked for has emptied the socket, so that no call is spent on EAGAIN; only after
 * a hang-up was announced it is read to its end.
 */
#ifndef PGM_LOOP_STREAM_H
#define PGM_LOOP_STREAM_H

#include "loop/loop.h"
#include "loop/tls.h"

#include <sys/socket.h>
#include <sys/uio.h>

#define PGM_STREAM_IOV_MAX    128
#define PGM_STREAM_PIECE      ((size_t)8192)	 /* a read of less ends what was large */
#define PGM_STREAM_BULK_BYTES ((size_t)64 << 10) /* so much in such pieces is something large */

struct pgm_stream {
	struct pgm_source source;
	struct pgm_loop *loop;
	struct pgm_tls *tls;
	uint8_t *out; /* malloc'ed; bytes that the socket did not take */
	size_t out_sent, out_end, out_capacity;
	size_t bulk;	 /* bytes that came in large pieces, one after the other */
	bool readable;	 /* there may be something to read */
	bool hangup;	 /* the peer has closed its side, or the connection broke */
	bool blocked;	 /* the socket took less than there was: registered for writing */
	bool want_write; /* registered for it, for whatever reason */
	bool outgoing;	 /* in the loop's list of those to write to at the batch's end */
	bool unix_socket;
};

enum pgm_stream_result {
	PGM_STREAM_DATA,
	PGM_STREAM_WAIT,
	PGM_STREAM_END, /* closed by the peer, or broken */
};

/*
 * Take over a socket that does not block, connected (or on its way) to peer: sets TCP_NODELAY, registers it.
 * False: errno; fd is not closed.
 */
bool pgm_stream_open(struct pgm_stream *stream, struct pgm_loop *loop, int fd, const struct sockaddr *peer,
		     void (*ready)(struct pgm_source *source, uint32_t events));

/* With a peer on the same host; a listener hands it down to what it accepts. */
void pgm_stream_stop_pacing(int fd, const struct sockaddr *peer);

/* Give it to another loop: leave, then join in the other's thread. */
void pgm_stream_leave(struct pgm_stream *stream);
bool pgm_stream_join(struct pgm_stream *stream, struct pgm_loop *loop);

/* To be called first in ready(): notes what the event says; false where writing failed. */
bool pgm_stream_note(struct pgm_stream *stream, uint32_t events);

enum pgm_stream_result pgm_stream_read(struct pgm_stream *stream, void *bytes, size_t size, size_t *got);

/* What came last is the end of an answer: what follows is not known to be large. */
static inline void pgm_stream_bulk_ends(struct pgm_stream *stream)
{
	stream->bulk = 0;
	pgm_loop_rest_ends(stream->loop, &stream->source);
}

/* Write all, or keep what the socket does not take. False: the connection is broken. */
bool pgm_stream_writev(struct pgm_stream *stream, const struct iovec *iov, int count);
bool pgm_stream_write(struct pgm_stream *stream, const void *bytes, size_t length);

/* Bytes that the socket did not take: stop reading what feeds this stream until it is 0. */
static inline size_t pgm_stream_waiting(const struct pgm_stream *stream)
{
	return stream->blocked ? stream->out_end - stream->out_sent : 0;
}

/* Write now what was put off to the batch's end. False: the connection is broken. */
bool pgm_stream_flush(struct pgm_stream *stream);

/* Close the socket; what waits is lost. Twice is fine. */
void pgm_stream_close(struct pgm_stream *stream);

#endif
