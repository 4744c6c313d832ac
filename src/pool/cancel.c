#include "pool/cancel.h"

#include "pool/client.h"
#include "pool/console/console.h"
#include "pool/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FOLLOW_TRIES 100

/* A client's request for the cancellation of another's query; on its way between their workers. */
struct asked {
	struct pgm_letter letter;
	struct pgm_worker *from, *to;
	uint64_t asker_id, target_id;
	uint32_t pid; /* the key, with which its target may be looked for again */
	uint8_t secret[PGM_CANCEL_SECRET_BYTES];
	size_t length;
	unsigned tries;
};

enum request_state {
	REQUEST_WAITING, /* to a peer: for its address or for room among its connections; then CONNECTING */
	REQUEST_CONNECTING, /* connect(2) is under way; then TLS_ASKED or SENT */
	REQUEST_TLS_ASKED,  /* SSLRequest sent: waits for one byte; then TLS */
	REQUEST_TLS,	    /* handshake; then SENT */
	REQUEST_SENT,	    /* waits for the other side's end of the connection */
};

struct request {
	struct pgm_grave grave;
	struct pgm_stream stream;
	struct pgm_link link; /* in worker->cancels */
	struct pgm_worker *worker;
	struct pgm_server *server; /* held by its cancels; NULL: it goes to a peer */
	struct pgm_peer *peer;
	struct pgm_address address;
	enum request_state state;
	unsigned tries; /* addresses of the peer that did not answer */
	bool tls;	/* nothing is sent in the clear */
	uint64_t started_us;
	struct asked *asked; /* who waits for it; NULL: nobody */
	uint8_t packet[12 + PGM_WIRE_CANCEL_KEY_MAX];
	size_t length;
};

static struct pgm_client *find_client(struct pgm_worker *worker, uint64_t id)
{
	struct pgm_client *client;
	pgm_list_each(&worker->clients, client, struct pgm_client, link) if (client->id == id) return client;
	return NULL;
}

static void close_asker(struct pgm_letter *letter, void *owner)
{
	struct asked *asked = (struct asked *)letter;
	struct pgm_client *asker = find_client(owner, asked->asker_id);
	free(asked);
	if (asker)
		pgm_client_close(asker, NULL);
}

/* It may go: to its own worker's thread. */
static void let_asker_go(struct asked *asked)
{
	asked->letter.deliver = close_asker;
	pgm_loop_post(&asked->from->loop, &asked->letter);
}

/* ---- a request on its way ---- */

static void free_request(struct pgm_grave *grave)
{
	free(grave);
}

static struct request *new_request(struct pgm_worker *worker, uint32_t pid, const uint8_t *secret,
				   size_t length, struct asked *asked)
{
	struct request *request = calloc(1, sizeof(*request));
	if (!request)
		return NULL;
	request->grave.release = free_request;
	request->stream.source.fd = -1;
	request->worker = worker;
	request->asked = asked;
	request->started_us = worker->loop.now_us;
	struct pgm_writer writer = pgm_writer_over(request->packet, sizeof(request->packet));
	pgm_writer_u32(&writer, (uint32_t)(12 + length));
	pgm_writer_u32(&writer, PGM_WIRE_CODE_CANCEL);
	pgm_writer_u32(&writer, pid);
	pgm_writer_bytes(&writer, secret, length);
	request->length = pgm_writer_length(&writer);
	pgm_list_append(&worker->cancels, &request->link);
	return request;
}

/* The peer's counters say how many requests are where. */
static void count(struct request *request, int change)
{
	struct pgm_peer *peer = request->peer;
	if (peer)
		atomic_fetch_add(request->state == REQUEST_WAITING ? &peer->waiting
				 : request->state == REQUEST_SENT  ? &peer->sent
								   : &peer->connecting,
				 change);
}

static void move(struct request *request, enum request_state state)
{
	count(request, -1);
	request->state = state;
	count(request, 1);
}

static void finish(struct request *request)
{
	struct pgm_server *server = request->server;
	if (request->asked)
		let_asker_go(request->asked);
	request->asked = NULL;
	count(request, -1);
	if (request->peer && request->state != REQUEST_WAITING)
		pgm_peer_give_back(request->peer);
	pgm_list_remove(&request->worker->cancels, &request->link);
	pgm_stream_close(&request->stream);
	pgm_loop_bury(&request->worker->loop, &request->grave);
	if (server)
		pgm_server_unhold(server);
}

static void want_write(struct request *request, bool want)
{
	request->stream.want_write = want;
	pgm_loop_want_write(&request->worker->loop, &request->stream.source, want);
}

static void request_ready(struct pgm_source *source, uint32_t events);

/* False: errno. */
static bool connect_now(struct request *request)
{
	const struct sockaddr *address = (const struct sockaddr *)&request->address.address;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	int result = connect(fd, address, request->address.length);
	if ((result < 0 && errno != EINPROGRESS) ||
	    !pgm_stream_open(&request->stream, &request->worker->loop, fd, address, request_ready)) {
		int error = errno;
		close(fd);
		errno = error;
		return false;
	}
	move(request, REQUEST_CONNECTING);
	want_write(request, true);
	return true;
}

/* It did not arrive. A peer may answer at another of its addresses. */
static void failed(struct request *request, const char *why)
{
	if (request->server) {
		pgm_log(PGM_LOG_WARNING, "S-%llu: its query is not cancelled: %s",
			(unsigned long long)request->server->id, why);
		finish(request);
		return;
	}
	pgm_stream_close(&request->stream);
	while (request->state < REQUEST_SENT &&
	       pgm_peer_address(request->peer, ++request->tries, &request->address)) {
		if (connect_now(request))
			return;
		why = strerror(errno);
	}
	pgm_peer_failed(request->peer, why);
	finish(request);
}

static void send_request(struct request *request)
{
	move(request, REQUEST_SENT);
	if (request->peer)
		pgm_peer_reached(request->peer);
	if (!pgm_stream_write(&request->stream, request->packet, request->length))
		failed(request, "the connection for it broke");
	else
		request->stream.readable = true;
}

/* ---- TLS, where the server's own connection has it: the key is not to be read on its way ---- */

static void ask_for_tls(struct request *request)
{
	uint8_t packet[8];
	pgm_wire_put32(packet, sizeof(packet));
	pgm_wire_put32(packet + 4, PGM_WIRE_CODE_SSL);
	move(request, REQUEST_TLS_ASKED);
	if (!pgm_stream_write(&request->stream, packet, sizeof(packet)))
		failed(request, "the connection for it broke");
}

static void read_tls_answer(struct request *request)
{
	const struct pgm_pooler *pooler = request->worker->pooler;
	uint8_t answer[2];
	size_t got;
	enum pgm_stream_result result = pgm_stream_read(&request->stream, answer, sizeof(answer), &got);
	if (result == PGM_STREAM_WAIT)
		return;
	if (result == PGM_STREAM_END || got != 1 || answer[0] != 'S' || !pooler->server_tls) {
		failed(request, "its server speaks no TLS now, and it is not sent in the clear");
		return;
	}
	request->stream.tls =
		pgm_tls_new(pooler->server_tls, request->stream.source.fd, request->address.host,
			    pooler->config->server_tls.mode == PGM_SSL_VERIFY_FULL, false);
	if (!request->stream.tls) {
		failed(request, "out of memory");
		return;
	}
	request->stream.readable = true;
	move(request, REQUEST_TLS);
}

static void handshake(struct request *request)
{
	switch (pgm_tls_handshake(request->stream.tls)) {
	case PGM_TLS_OK:
		want_write(request, false);
		send_request(request);
		return;
	case PGM_TLS_WAIT_READ:
		return;
	case PGM_TLS_WAIT_WRITE:
		want_write(request, true);
		return;
	default:
		failed(request, pgm_tls_why(request->stream.tls));
	}
}

static void connected(struct request *request)
{
	int error = 0;
	socklen_t size = sizeof(error);
	getsockopt(request->stream.source.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		failed(request, strerror(error));
		return;
	}
	want_write(request, false);
	if (request->tls)
		ask_for_tls(request);
	else
		send_request(request);
}

static void request_ready(struct pgm_source *source, uint32_t events)
{
	struct request *request = pgm_container_of(source, struct request, stream.source);
	uint8_t bytes[64];
	size_t got;
	if (request->state == REQUEST_CONNECTING) {
		connected(request);
		return; /* what came with it is announced again: the socket was registered anew */
	}
	if (!pgm_stream_note(&request->stream, events)) {
		failed(request, "the connection for it broke");
		return;
	}
	if (request->state == REQUEST_TLS_ASKED)
		read_tls_answer(request);
	if (request->state == REQUEST_TLS && request->stream.source.fd >= 0)
		handshake(request);
	if (request->state != REQUEST_SENT || request->stream.source.fd < 0)
		return;
	enum pgm_stream_result result;
	while ((result = pgm_stream_read(&request->stream, bytes, sizeof(bytes), &got)) == PGM_STREAM_DATA)
		;
	if (result == PGM_STREAM_END)
		finish(request);
}

/* ---- to a server ---- */

static bool send_to(struct pgm_server *server, struct asked *asked)
{
	struct request *request =
		new_request(server->share->worker, server->pid, server->secret, server->secret_length, asked);
	if (!request)
		return false;
	request->server = server;
	request->address = server->address;
	request->tls = server->stream.tls != NULL;
	if (connect_now(request)) {
		server->cancels++;
		return true;
	}
	pgm_log(PGM_LOG_WARNING, "S-%llu: its query is not cancelled: %s", (unsigned long long)server->id,
		strerror(errno));
	pgm_list_remove(&request->worker->cancels, &request->link);
	free(request);
	return false;
}

void pgm_cancel_send(struct pgm_server *server)
{
	(void)!send_to(server, NULL);
}

/* ---- to a peer ---- */

static void go_to_peer(struct request *request)
{
	struct pgm_peer *peer = request->peer;
	pgm_peer_refresh(request->worker->pooler, peer);
	if (!pgm_peer_address(peer, request->tries, &request->address) || !pgm_peer_take(peer))
		return; /* the tick tries again */
	if (connect_now(request))
		return;
	int error = errno;
	move(request, REQUEST_CONNECTING);
	failed(request, strerror(error));
}

/* The key's number is another's: with one hop less to go. False: nobody can be asked. */
static bool forward(struct pgm_client *asker, uint32_t pid, const uint8_t *secret, size_t length)
{
	struct pgm_worker *worker = asker->worker;
	uint8_t lower[PGM_WIRE_CANCEL_KEY_MAX];
	struct pgm_peer *peer = pgm_peer_of_key(worker->pooler, pid);
	if (!peer || !pgm_peer_spend(lower, secret, length))
		return false;
	struct asked *asked = malloc(sizeof(*asked));
	struct request *request = asked ? new_request(worker, pid, lower, length, asked) : NULL;
	if (!request) {
		free(asked);
		return false;
	}
	*asked = (struct asked){.from = worker, .to = worker, .asker_id = asker->id};
	request->peer = peer;
	count(request, 1);
	asker->state = PGM_CLIENT_CANCEL;
	go_to_peer(request);
	return true;
}

/* ---- all of them ---- */

void pgm_cancel_tick(struct pgm_worker *worker)
{
	uint64_t limit_us = (uint64_t)worker->pooler->config->cancel_wait_timeout_ms * 1000;
	struct request *request;
	pgm_list_each(&worker->cancels, request, struct request, link)
	{
		if (limit_us && worker->loop.now_us - request->started_us > limit_us) {
			if (request->server)
				request->server->close_soon = true; /* the signal may come yet */
			else
				pgm_peer_failed(request->peer, "it does not answer");
			finish(request);
		} else if (request->state == REQUEST_WAITING) {
			go_to_peer(request);
		}
	}
}

void pgm_cancel_forget_askers(struct pgm_worker *worker)
{
	struct request *request;
	pgm_list_each(&worker->cancels, request, struct request, link)
	{
		free(request->asked);
		request->asked = NULL;
	}
}

void pgm_cancel_drop_all(struct pgm_worker *worker)
{
	struct request *request;
	pgm_list_each(&worker->cancels, request, struct request, link) finish(request);
}

/* ---- what a client asks for ---- */

static void carry_out(struct pgm_letter *letter, void *owner);

/* It went from one worker to another meanwhile, and may have asked something there. False: it is gone. */
static bool follow(struct asked *asked, const struct pgm_worker *worker)
{
	unsigned now;
	if (worker->stop || asked->tries++ >= FOLLOW_TRIES ||
	    !pgm_cancel_find(worker->pooler, asked->pid, asked->secret, asked->length, &now,
			     &asked->target_id))
		return false;
	asked->to = worker->pooler->workers[now];
	pgm_loop_post(&asked->to->loop, &asked->letter);
	return true;
}

static void carry_out(struct pgm_letter *letter, void *owner)
{
	struct asked *asked = (struct asked *)letter;
	struct pgm_client *target = find_client(owner, asked->target_id);
	struct pgm_server *server = target ? target->server : NULL;
	if (!target && follow(asked, owner))
		return;
	if (server && server->client == target && server->job != PGM_JOB_NONE) {
		/* a statement of ours is not what is meant; what waits for it is */
		pgm_client_cancel_next(target);
	} else if (server && server->client == target && server->expect_count) {
		server->cancelled = true;
		server->share->stats.cancels++;
		/* its asker is told when the signal was sent, so that what the target asks next is not hit */
		if (send_to(server, asked))
			return;
	} else if (target && target->waiting.next && target->state == PGM_CLIENT_WAITING) {
		pgm_client_cancel_waiting(target);
	} else if (target && target->state == PGM_CLIENT_CONSOLE) {
		pgm_console_cancel(target);
	}
	let_asker_go(asked);
}

void pgm_cancel_asked(struct pgm_client *asker, uint32_t pid, const uint8_t *secret, size_t length)
{
	struct pgm_pooler *pooler = asker->worker->pooler;
	unsigned worker;
	uint64_t target;
	struct asked *asked;
	if (!pgm_cancel_find(pooler, pid, secret, length, &worker, &target)) {
		if (!forward(asker, pid, secret, length))
			pgm_client_close(asker, NULL);
		return;
	}
	if (!(asked = malloc(sizeof(*asked)))) {
		pgm_client_close(asker, NULL);
		return;
	}
	asker->state = PGM_CLIENT_CANCEL;
	*asked = (struct asked){.letter.deliver = carry_out,
				.from = asker->worker,
				.to = pooler->workers[worker],
				.asker_id = asker->id,
				.target_id = target,
				.pid = pid,
				.length = length};
	memcpy(asked->secret, secret, length); /* no longer than a key of ours: it was found */
	pgm_loop_post(&asked->to->loop, &asked->letter);
}
