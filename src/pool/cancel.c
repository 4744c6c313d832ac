#include "pool/cancel.h"

#include "pool/client.h"
#include "pool/console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client's request for the cancellation of another's query; on its way between their workers. */
struct asked {
	struct pgm_letter letter;
	struct pgm_worker *from, *to;
	uint64_t asker_id, target_id;
};

struct request {
	struct pgm_grave grave;
	struct pgm_stream stream;
	struct pgm_link link; /* in worker->cancels */
	struct pgm_worker *worker;
	struct pgm_server *server; /* held by its cancels */
	uint64_t started_us;
	struct asked *asked; /* who waits for it; NULL: nobody */
	bool connected;
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

static void free_request(struct pgm_grave *grave)
{
	free(grave);
}

static void finish(struct request *request)
{
	struct pgm_server *server = request->server;
	if (request->asked)
		let_asker_go(request->asked);
	request->asked = NULL;
	pgm_list_remove(&request->worker->cancels, &request->link);
	pgm_stream_close(&request->stream);
	pgm_loop_bury(&request->worker->loop, &request->grave);
	pgm_server_unhold(server);
}

static bool send_request(struct request *request)
{
	uint8_t packet[16 + 256];
	struct pgm_server *server = request->server;
	struct pgm_writer writer = pgm_writer_over(packet, sizeof(packet));
	pgm_writer_u32(&writer, (uint32_t)(12 + server->secret_length));
	pgm_writer_u32(&writer, PGM_WIRE_CODE_CANCEL);
	pgm_writer_u32(&writer, server->pid);
	pgm_writer_bytes(&writer, server->secret, server->secret_length);
	return pgm_stream_write(&request->stream, packet, pgm_writer_length(&writer));
}

static void request_ready(struct pgm_source *source, uint32_t events)
{
	struct request *request = pgm_container_of(source, struct request, stream.source);
	uint8_t bytes[64];
	size_t got;
	if (!request->connected) {
		int error = 0;
		socklen_t size = sizeof(error);
		getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		request->connected = true;
		pgm_loop_want_write(&request->worker->loop, source, false);
		if (error || !send_request(request)) {
			finish(request);
			return;
		}
	}
	if (!pgm_stream_note(&request->stream, events)) {
		finish(request);
		return;
	}
	enum pgm_stream_result result;
	while ((result = pgm_stream_read(&request->stream, bytes, sizeof(bytes), &got)) == PGM_STREAM_DATA)
		;
	if (result == PGM_STREAM_END)
		finish(request);
}

static bool send_to(struct pgm_server *server, struct asked *asked)
{
	struct pgm_worker *worker = server->share->worker;
	struct request *request = calloc(1, sizeof(*request));
	int family = server->address.address.ss_family;
	int fd = request ? socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
	if (fd < 0) {
		free(request);
		return false;
	}
	int result = connect(fd, (struct sockaddr *)&server->address.address, server->address.length);
	if ((result < 0 && errno != EINPROGRESS) ||
	    !pgm_stream_open(&request->stream, &worker->loop, fd, request_ready)) {
		close(fd);
		free(request);
		return false;
	}
	request->grave.release = free_request;
	request->worker = worker;
	request->server = server;
	request->asked = asked;
	request->started_us = worker->loop.now_us;
	server->cancels++;
	pgm_list_append(&worker->cancels, &request->link);
	pgm_loop_want_write(&worker->loop, &request->stream.source, true);
	return true;
}

void pgm_cancel_send(struct pgm_server *server)
{
	(void)!send_to(server, NULL);
}

void pgm_cancel_tick(struct pgm_worker *worker)
{
	uint64_t limit_us = (uint64_t)worker->pooler->config->cancel_wait_timeout_ms * 1000;
	struct request *request;
	pgm_list_each(&worker->cancels, request, struct request,
		      link) if (limit_us && worker->loop.now_us - request->started_us > limit_us)
	{
		request->server->close_soon = true; /* the signal may come yet */
		finish(request);
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

static void carry_out(struct pgm_letter *letter, void *owner)
{
	struct asked *asked = (struct asked *)letter;
	struct pgm_client *target = find_client(owner, asked->target_id);
	/* only what this client itself asked of the server, not a statement of ours */
	if (target && target->server && target->server->client == target &&
	    target->server->job == PGM_JOB_NONE && target->server->expect_count) {
		target->server->cancelled = true;
		target->server->share->stats.cancels++;
		/* its asker is told when the signal was sent, so that what the target asks next is not hit */
		if (send_to(target->server, asked))
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
	if (!pgm_cancel_find(pooler, pid, secret, length, &worker, &target) ||
	    !(asked = malloc(sizeof(*asked)))) {
		pgm_client_close(asker, NULL);
		return;
	}
	asker->state = PGM_CLIENT_CANCEL;
	*asked = (struct asked){.letter.deliver = carry_out,
				.from = asker->worker,
				.to = pooler->workers[worker],
				.asker_id = asker->id,
				.target_id = target};
	pgm_loop_post(&asked->to->loop, &asked->letter);
}
