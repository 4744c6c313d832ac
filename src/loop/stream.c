#include "loop/stream.h"

#include "loop/outgoing.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* 127.0.0.0/8, ::1, or IPv4 written as IPv6 */
static bool within_the_machine(const struct sockaddr *peer)
{
	if (peer->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)peer)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	if (peer->sa_family != AF_INET6)
		return false;
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)peer)->sin6_addr;
	return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
}

/* BBR spreads what is sent over time by timers: without a network between that costs processor time alone
 * (about a twentieth of a short query's). Reno is in every kernel and open to everyone.
 */
void pgm_stream_stop_pacing(int fd, const struct sockaddr *peer)
{
	char name[16] = "";
	socklen_t size = sizeof(name);
	if (within_the_machine(peer) && getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) == 0 &&
	    strncmp(name, "bbr", 3) == 0)
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno"));
}

#define SPARE_BYTES 16384 /* a larger buffer is freed when it is empty */

bool pgm_stream_open(struct pgm_stream *stream, struct pgm_loop *loop, int fd, const struct sockaddr *peer,
		     void (*ready)(struct pgm_source *source, uint32_t events))
{
	int one = 1;
	memset(stream, 0, sizeof(*stream));
	stream->unix_socket = peer->sa_family == AF_UNIX;
	if (!stream->unix_socket)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	pgm_stream_stop_pacing(fd, peer);
	stream->source.fd = fd;
	stream->source.ready = ready;
	if (pgm_stream_join(stream, loop))
		return true;
	stream->source.fd = -1;
	return false;
}

void pgm_stream_leave(struct pgm_stream *stream)
{
	assert(pgm_stream_waiting(stream) == 0);
	pgm_outgoing_remove(stream);
	if (!pgm_stream_flush(stream))
		stream->hangup = true; /* its new loop will be told so, too */
	pgm_loop_remove(stream->loop, &stream->source);
	stream->loop = NULL;
	stream->want_write = false;
}

bool pgm_stream_join(struct pgm_stream *stream, struct pgm_loop *loop)
{
	stream->loop = loop;
	return pgm_loop_add(loop, &stream->source, 0) == 0;
}

static bool want_write(struct pgm_stream *stream, bool want)
{
	if (stream->want_write == want)
		return true;
	stream->want_write = want;
	return pgm_loop_want_write(stream->loop, &stream->source, want) == 0;
}

/* Idle clients are many: with nothing to write a stream has no buffer. */
static void give_back(struct pgm_stream *stream)
{
	struct pgm_loop *loop = stream->loop;
	if (stream->out && stream->out_capacity <= SPARE_BYTES && loop->spare_count < PGM_LOOP_SPARES)
		loop->spares[loop->spare_count++] = (struct pgm_spare){stream->out, stream->out_capacity};
	else
		free(stream->out);
	stream->out = NULL;
	stream->out_sent = stream->out_end = stream->out_capacity = 0;
}

static void take_spare(struct pgm_stream *stream)
{
	struct pgm_loop *loop = stream->loop;
	if (stream->out || !loop->spare_count)
		return;
	/* the last one that was used is in the cache */
	struct pgm_spare spare = loop->spares[--loop->spare_count];
	stream->out = spare.bytes;
	stream->out_capacity = spare.capacity;
}

/* False: no memory. Bytes are missing from here on, so the connection is as good as broken. */
static bool keep(struct pgm_stream *stream, const uint8_t *bytes, size_t length)
{
	take_spare(stream);
	if (stream->out_end + length > stream->out_capacity && stream->out_sent) {
		memmove(stream->out, stream->out + stream->out_sent, stream->out_end - stream->out_sent);
		stream->out_end -= stream->out_sent;
		stream->out_sent = 0;
	}
	if (stream->out_end + length > stream->out_capacity) {
		size_t wanted = stream->out_capacity ? stream->out_capacity : 1024;
		while (wanted < stream->out_end + length)
			wanted *= 2;
		uint8_t *grown = realloc(stream->out, wanted);
		if (!grown) {
			pgm_stream_broke(stream);
			return false;
		}
		stream->out = grown;
		stream->out_capacity = wanted;
	}
	memcpy(stream->out + stream->out_end, bytes, length);
	stream->out_end += length;
	return true;
}

/* Bytes that went out now; -1: broken. */
static ssize_t send_some(struct pgm_stream *stream, const struct iovec *iov, int count)
{
	if (stream->tls) {
		size_t done, sent = 0;
		for (int i = 0; i < count; i++) {
			const uint8_t *at = iov[i].iov_base;
			size_t left = iov[i].iov_len;
			while (left) {
				enum pgm_tls_result result = pgm_tls_write(stream->tls, at, left, &done);
				if (result == PGM_TLS_WAIT_READ || result == PGM_TLS_WAIT_WRITE)
					return (ssize_t)sent;
				if (result != PGM_TLS_OK)
					return -1;
				at += done;
				left -= done;
				sent += done;
			}
		}
		return (ssize_t)sent;
	}
	struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
	ssize_t sent;
	do
		sent = count == 1 ? send(stream->source.fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
				  : sendmsg(stream->source.fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EAGAIN ? 0 : -1;
	return sent;
}

bool pgm_stream_flush(struct pgm_stream *stream)
{
	while (stream->out_end > stream->out_sent) {
		struct iovec iov = {stream->out + stream->out_sent, stream->out_end - stream->out_sent};
		ssize_t sent = send_some(stream, &iov, 1);
		if (sent < 0)
			return false;
		if (sent == 0) {
			stream->blocked = true;
			return want_write(stream, true);
		}
		stream->out_sent += (size_t)sent;
	}
	stream->blocked = false;
	give_back(stream);
	return want_write(stream, false);
}

bool pgm_stream_note(struct pgm_stream *stream, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		stream->readable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		stream->hangup = true;
	/* TLS may have to read before it can write */
	if (pgm_stream_waiting(stream) && (events & EPOLLOUT || stream->tls))
		return pgm_stream_flush(stream);
	return true;
}

void pgm_stream_broke(struct pgm_stream *stream)
{
	/* its end is reported where all ends are: by reading */
	stream->hangup = stream->readable = true;
	stream->out_sent = stream->out_end = 0;
	stream->blocked = false;
	shutdown(stream->source.fd, SHUT_RDWR);
}

static enum pgm_stream_result read_tls(struct pgm_stream *stream, void *bytes, size_t size, size_t *got)
{
	switch (pgm_tls_read(stream->tls, bytes, size, got)) {
	case PGM_TLS_OK:
		return PGM_STREAM_DATA;
	case PGM_TLS_WAIT_WRITE:
		want_write(stream, true);
		/* fall through */
	case PGM_TLS_WAIT_READ:
		stream->readable = false;
		return PGM_STREAM_WAIT;
	default:
		return PGM_STREAM_END;
	}
}

/* While it rests it may lag for a while. */
static void note_bulk(struct pgm_stream *stream, size_t count)
{
	if (count >= PGM_STREAM_PIECE)
		stream->bulk += count;
	else if (!stream->source.resting)
		stream->bulk = 0;
	if (count >= PGM_STREAM_PIECE && stream->bulk >= PGM_STREAM_BULK_BYTES)
		pgm_loop_rest(stream->loop, &stream->source);
}

enum pgm_stream_result pgm_stream_read(struct pgm_stream *stream, void *bytes, size_t size, size_t *got)
{
	*got = 0;
	if (stream->source.fd < 0)
		return PGM_STREAM_END;
	if (!stream->readable)
		return PGM_STREAM_WAIT;
	if (stream->tls)
		return read_tls(stream, bytes, size, got);
	ssize_t count;
	do
		count = recv(stream->source.fd, bytes, size, 0);
	while (count < 0 && errno == EINTR);
	if (count > 0) {
		*got = (size_t)count;
		note_bulk(stream, (size_t)count);
		if ((size_t)count == size && stream->unix_socket)
			stream->loop->hurry = true; /* its buffer doesn't grow, as TCP's does */
		if ((size_t)count < size && !stream->hangup)
			stream->readable = false;
		return PGM_STREAM_DATA;
	}
	if (count < 0 && errno == EAGAIN) {
		stream->readable = false;
		return PGM_STREAM_WAIT;
	}
	return PGM_STREAM_END;
}

/* Small writes wait for the batch's end, and go out together. False: write now. */
static bool put_off(struct pgm_stream *stream, const struct iovec *iov, int count)
{
	size_t total = stream->out_end - stream->out_sent;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	if (total > PGM_OUTGOING_BYTES || stream->tls || !pgm_outgoing_add(stream))
		return false;
	for (int i = 0; i < count && keep(stream, iov[i].iov_base, iov[i].iov_len); i++)
		;
	return true;
}

bool pgm_stream_writev(struct pgm_stream *stream, const struct iovec *iov, int count)
{
	if (stream->source.fd < 0)
		return false;
	if (!stream->blocked && put_off(stream, iov, count))
		return true;
	ssize_t sent = 0;
	if (!stream->blocked && !pgm_stream_flush(stream))
		return false;
	if (!stream->blocked) {
		sent = send_some(stream, iov, count);
		if (sent < 0)
			return false;
	}
	size_t skip = (size_t)sent;
	for (int i = 0; i < count; i++) {
		if (skip >= iov[i].iov_len) {
			skip -= iov[i].iov_len;
			continue;
		}
		if (!keep(stream, (const uint8_t *)iov[i].iov_base + skip, iov[i].iov_len - skip))
			return false;
		skip = 0;
	}
	if (stream->out_end == stream->out_sent)
		return true;
	stream->blocked = true;
	return want_write(stream, true);
}

bool pgm_stream_write(struct pgm_stream *stream, const void *bytes, size_t length)
{
	struct iovec iov = {(void *)(uintptr_t)bytes, length};
	return pgm_stream_writev(stream, &iov, 1);
}

void pgm_stream_close(struct pgm_stream *stream)
{
	if (stream->source.fd >= 0) {
		pgm_loop_not_again(stream->loop, &stream->source);
		pgm_loop_rest_ends(stream->loop, &stream->source);
		pgm_outgoing_remove(stream);
		if (!stream->blocked)
			(void)!pgm_stream_flush(stream);
	}
	pgm_tls_free(stream->tls);
	stream->tls = NULL;
	if (stream->source.fd >= 0)
		close(stream->source.fd); /* leaves epoll too */
	stream->source.fd = -1;
	free(stream->out);
	stream->out = NULL;
	stream->out_sent = stream->out_end = stream->out_capacity = 0;
	stream->blocked = false;
}
