/*
 * The pooler between two clients and its servers. The first byte chooses how it is set up, then each byte is
 * something that one of the clients does (send a message, or any bytes), or that happens. What a client is
 * told must be, byte for byte, what a server would have told it that it had alone; what reaches a server are
 * whole messages; and when all have gone, nothing is left of them.
 */
#include "pooler/requests.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAW	 40 /* from here on: so many bytes as they are */
#define RAW_LONG 63
/* ---- events ---- */

static bool excused; /* something happened to a server, or much time went by */

static void happen(struct client *client, uint8_t kind, struct input *input)
{
	uint8_t argument = input_take(input);
	struct backend *backend = backend_at(argument);
	switch (kind) {
	case 20: /* goes, and comes again */
		client_check(client, excused);
		client_close(client);
		client_open(client, argument);
		break;
	case 21:
		shutdown(client->fd, SHUT_WR);
		client->excused = true;
		break;
	case 22:
		if (backend)
			backend->model.holds_back = true;
		break;
	case 23:
		if (backend)
			backend->model.holds_back = false;
		break;
	case 24:
		if (backend)
			backend->model.dies = excused = true;
		break;
	case 25:
		if (backend)
			backend->model.fails_ours = excused = true;
		break;
	case 26:
		excused |= argument > 40; /* our own statements may hang for 10 s */
		harness_advance_us((uint64_t)argument * argument * 5000);
		break;
	case 27:
		client_cancel(client);
		break;
	case 28:
		client->stalled = !client->stalled;
		break;
	case 29:
		turn();
		break;
	case 30:
		if (backend) {
			backend_close(backend);
			excused = true;
		}
		break;
	case 31: /* no memory: once, or for some time */
		excused = true;
		harness_memory_short(argument & 63, argument & 64 ? 1 + (argument >> 7) * 4 : 1);
		break;
	case 32: /* sends a few bytes at a time */
		client->trickle = argument & 15;
		break;
	case 33:
		if (backend)
			backend->trickle = argument >> 4;
		break;
	default:
		settle();
	}
}

static void act(struct input *input)
{
	uint8_t what = input_take(input), kind = what & 63;
	struct client *client = &clients[what >> 7];
	if (kind < REQUEST_KINDS) {
		request_send(client, kind, input);
	} else if (kind < RAW) {
		happen(client, kind, input);
	} else {
		size_t length = kind - RAW + 1u;
		if (kind == RAW_LONG)
			length = (size_t)input_take(input) << 8 | input_take(input);
		if (length > (size_t)(input->end - input->at))
			length = (size_t)(input->end - input->at);
		client_say(client, input->at, length);
		input->at += length;
	}
	if (what & 64)
		settle();
}

/* ---- the end ---- */

/* All read, end their batches and go, one after the other, as what they asked for is answered. */
static void finish(void)
{
	harness_memory_enough();
	for (size_t i = 0; i < BACKENDS_MAX; i++)
		backends[i].model.holds_back = false;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &clients[i];
		client->stalled = false;
		if (model_is_within(&client->alone) || client->alone.closed)
			continue;
		if (client->alone.copying)
			client_message(client, PGM_FE_COPY_FAIL, "no", 3);
		client_message(client, PGM_FE_SYNC, NULL, 0);
	}
	for (int round = 0; round < 40; round++) {
		bool any = false;
		settle();
		for (size_t i = 0; i < CLIENTS_MAX; i++) {
			struct client *client = &clients[i];
			if (client->fd < 0)
				continue;
			bool complete = client_check(client, excused);
			any = true;
			if (complete || client->ended || model_is_within(&client->alone)) {
				assert(complete || excused || client->excused || client->alone.closed ||
				       !client->ended);
				client_close(client);
				settle();
			}
		}
		if (!any)
			return;
		harness_advance_us(200000); /* servers that were lost are connected to again */
	}
	abort(); /* a client waits for ever */
}

static void check_servers(void)
{
	settle();
	for (size_t i = 0; i < BACKENDS_MAX; i++) {
		if (backends[i].fd < 0)
			continue;
		const struct pgm_server *server = harness_server(backends[i].model.pid);
		if (!server || server->state != PGM_SERVER_IDLE) {
			fprintf(stderr, "a server is not idle: %s\n", server ? "" : "it is not there");
			if (server)
				fprintf(stderr,
					"state %d, job %d, client %d, status %c, expects %u, unsynced %d, "
					"copy_in %d, "
					"skip_to_sync %d, pins %x, client's state %d, pending %zu, barrier "
					"%d, terminating %d\n",
					server->state, server->job, server->client != NULL, server->status,
					server->expect_count, server->unsynced, server->copy_in,
					server->skip_to_sync, server->client ? server->client->pins : 0,
					server->client ? (int)server->client->state : -1,
					server->client
						? server->client->pending_end - server->client->pending_start
						: 0,
					server->client && server->client->barrier,
					server->client && server->client->terminating);
			abort();
		}
		model_check_clean(&backends[i].model, server);
	}
	assert(!harness_share() ||
	       atomic_load(&harness_share()->pool->servers) == (int)harness_share()->idle.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	uint8_t choice = input_take(&input);
	static const enum pgm_pool_mode modes[] = {PGM_POOL_TRANSACTION, PGM_POOL_TRANSACTION,
						   PGM_POOL_TRANSACTION, PGM_POOL_SESSION};
	excused = harness_memory_is_short();
	backends_init();
	harness_begin(&(struct harness_options){.mode = modes[choice >> 6],
						.pool_size = choice & 1 ? 2 : 1,
						.strict = choice & 2,
						.max_prepared_statements = choice & 4 ? 2 : 0});
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		client_open(&clients[i], i ? 0 : choice >> 4 & 3);
	if (choice & 8)
		settle();
	while (input.at < input.end)
		act(&input);
	finish();
	check_servers();
	backends_done();
	harness_end();
	return 0;
}
