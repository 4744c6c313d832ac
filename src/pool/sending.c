/*
 * Sending to a client's server: what is gathered while the client's messages are looked at, and messages of
 * our own between them.
 */
#include "pool/relay.h"

#include "wire/wire.h"

#include <string.h>

void pgm_relay_raw(struct pgm_client *client, const void *bytes, size_t length)
{
	struct pgm_worker *worker = client->worker;
	struct iovec *last = worker->gather_count ? &worker->gather[worker->gather_count - 1] : NULL;
	if (last && (uint8_t *)last->iov_base + last->iov_len == bytes) {
		last->iov_len += length;
		return;
	}
	if (worker->gather_count == PGM_STREAM_IOV_MAX)
		(void)!pgm_relay_send(client);
	worker->gather[worker->gather_count++] = (struct iovec){(void *)(uintptr_t)bytes, length};
}

uint8_t *pgm_relay_room(struct pgm_client *client, size_t length)
{
	struct pgm_worker *worker = client->worker;
	/* what is put there must be gathered before anything is sent, for that makes the room free again */
	if (length > PGM_CARRY_BYTES - worker->rewrite_used || worker->gather_count == PGM_STREAM_IOV_MAX)
		(void)!pgm_relay_send(client);
	return length <= PGM_CARRY_BYTES ? worker->rewrite + worker->rewrite_used : NULL;
}

void pgm_relay_used(struct pgm_client *client, size_t length)
{
	uint8_t *bytes = client->worker->rewrite + client->worker->rewrite_used;
	client->worker->rewrite_used += length;
	pgm_relay_raw(client, bytes, length);
}

bool pgm_relay_send(struct pgm_client *client)
{
	struct pgm_worker *worker = client->worker;
	struct pgm_server *server = client->server;
	int count = worker->gather_count;
	worker->gather_count = 0;
	worker->rewrite_used = 0;
	if (!count || !server)
		return true;
	if (!pgm_stream_writev(&server->stream, worker->gather, count))
		server->stream.hangup = server->stream.readable = true; /* what it said last is read first */
	return true;
}

bool pgm_relay_parse(struct pgm_client *client, const char *name, const uint8_t *body, size_t length)
{
	size_t name_length = strlen(name) + 1, head = PGM_WIRE_HEADER_BYTES + name_length;
	uint8_t *room = pgm_relay_room(client, head + (length <= PGM_CARRY_BYTES / 2 ? length : 0));
	if (!room)
		return false;
	room[0] = PGM_FE_PARSE;
	pgm_wire_put32(room + 1, (uint32_t)(4 + name_length + length));
	memcpy(room + PGM_WIRE_HEADER_BYTES, name, name_length);
	if (length > PGM_CARRY_BYTES / 2) {
		/* the bytes may not live until they are sent */
		pgm_relay_used(client, head);
		pgm_relay_raw(client, body, length);
		return pgm_relay_send(client);
	}
	memcpy(room + head, body, length);
	pgm_relay_used(client, head + length);
	return true;
}

bool pgm_relay_close(struct pgm_client *client, const char *name)
{
	size_t name_length = strlen(name) + 1;
	uint8_t *room = pgm_relay_room(client, PGM_WIRE_HEADER_BYTES + 1 + name_length);
	if (!room)
		return false;
	room[0] = PGM_FE_CLOSE;
	pgm_wire_put32(room + 1, (uint32_t)(5 + name_length));
	room[PGM_WIRE_HEADER_BYTES] = 'S';
	memcpy(room + PGM_WIRE_HEADER_BYTES + 1, name, name_length);
	pgm_relay_used(client, PGM_WIRE_HEADER_BYTES + 1 + name_length);
	return true;
}
