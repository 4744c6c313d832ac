/*
 * From a client to its server: whole messages, looked at in the buffer they were read into and sent on from
 * there. In transaction mode statements' names are replaced by ours, a statement that the server does not
 * have is prepared on it first, and what may touch the session is noted (session.h).
 */
#include "pool/frontend.h"

#include <string.h>

/* ---- what the requests have in common ---- */

struct pgm_expect *pgm_front_expect(struct pgm_front *front, enum pgm_expect_kind kind, unsigned flags)
{
	struct pgm_server *server = front->client->server;
	if (server->expect_count == 0) {
		server->mark_us = front->client->worker->loop.now_us;
		server->bytes_since_mark = 0;
		server->rows = 0;
	}
	return pgm_server_expect(server, kind, flags);
}

enum pgm_next pgm_front_out_of_memory(struct pgm_front *front)
{
	pgm_client_end(front->client, "53200", "out of memory");
	return PGM_NEXT_GONE;
}

enum pgm_next pgm_front_pass(struct pgm_front *front)
{
	pgm_relay_raw(front->client, front->message, front->there);
	if (front->there < front->total)
		front->client->stream_left = front->total - front->there;
	return PGM_NEXT_MESSAGE;
}

enum pgm_next pgm_front_request(struct pgm_front *front, enum pgm_expect_kind kind, unsigned flags)
{
	return pgm_front_expect(front, kind, flags) ? pgm_front_pass(front) : pgm_front_out_of_memory(front);
}

enum pgm_next pgm_front_answer_locally(struct pgm_front *front, enum pgm_expect_kind kind)
{
	struct pgm_client *client = front->client;
	if (client->server->expect_count == 0) {
		/* it is done: no failure of what follows undoes it */
		pgm_journal_clear(client);
		uint8_t message[PGM_RELAY_LOCAL_BYTES];
		size_t length = pgm_relay_local_answer(kind, message, sizeof(message));
		return pgm_client_send(client, message, length) ? PGM_NEXT_MESSAGE : PGM_NEXT_GONE;
	}
	return pgm_front_expect(front, kind, PGM_EXPECT_LOCAL) ? PGM_NEXT_MESSAGE
							       : pgm_front_out_of_memory(front);
}

enum pgm_next pgm_front_drop_name(struct pgm_front *front, const char *name, enum pgm_expect_kind kind)
{
	struct pgm_client *client = front->client;
	if (!pgm_journal_note(client, name))
		return pgm_front_out_of_memory(front);
	client->portal = NULL;
	pgm_names_remove(&client->names, name);
	return pgm_front_answer_locally(front, kind);
}

bool pgm_front_expect_sync(struct pgm_front *front)
{
	struct pgm_server *server = front->client->server;
	server->skip_to_sync = false;
	server->unsynced = false;
	server->batch_clock = server->holding.clock;
	if (!pgm_front_expect(front, PGM_EXPECT_SYNC, 0))
		return false;
	front->client->batch_position = pgm_relay_next_position(server);
	return true;
}

/* ---- one message ---- */

/*
 * While the server reads COPY data, it reads over Sync and Flush, and ends the session at anything else but
 * CopyDone and CopyFail; unless the COPY has failed meanwhile, which nobody can tell yet: then these are
 * requests as any. They are sent as they are, and the server is not kept. A Sync is kept back: whether the
 * server would have answered it shows when the COPY ends (backend.c).
 */
static enum pgm_next during_copy(struct pgm_front *front)
{
	struct pgm_server *server = front->client->server;
	uint8_t type = front->message[0];
	switch (type) {
	case PGM_FE_COPY_DATA:
		server->syncs_in_copy = 0;
		return pgm_front_pass(front);
	case PGM_FE_SYNC:
		server->syncs_in_copy++;
		return PGM_NEXT_MESSAGE;
	case PGM_FE_FLUSH:
		return PGM_NEXT_MESSAGE;
	case PGM_FE_COPY_DONE:
	case PGM_FE_COPY_FAIL:
		server->copy_in = false;
		return pgm_front_pass(front);
	default:
		server->copy_in = false;
		server->close_soon = true;
		server->unsynced =
			type != PGM_FE_QUERY && type != PGM_FE_FUNCTION; /* may have to be flushed */
		return pgm_front_request(front, pgm_relay_answer_to(type), PGM_EXPECT_BROKEN);
	}
}

static void begin_batch(struct pgm_server *server)
{
	server->batch_clock = server->holding.clock;
	pgm_sample_begin(server);
}

static enum pgm_next to_server(struct pgm_front *front)
{
	struct pgm_client *client = front->client;
	struct pgm_server *server = client->server;
	uint8_t type = front->message[0];
	if (server->copy_in)
		return during_copy(front);
	if (server->skip_to_sync && type != PGM_FE_SYNC)
		return PGM_NEXT_MESSAGE;
	/* data for a COPY that was asked for and has not begun: whether it does shows in the answer;
	 * replication goes both ways while its answer lasts */
	if (pgm_wire_is_among(type, PGM_FE_OF_COPY) && !server->replication && pgm_relay_answer_first(client))
		return PGM_NEXT_WAIT;
	if (pgm_wire_is_among(type, PGM_FE_EXTENDED)) {
		if (!server->unsynced && server->expect_count == 0)
			begin_batch(server);
		server->unsynced = true;
	}
	switch (type) {
	case PGM_FE_QUERY:
		return pgm_front_query(front);
	case PGM_FE_PARSE:
		return pgm_front_parse(front);
	case PGM_FE_BIND:
		return pgm_front_bind(front);
	case PGM_FE_DESCRIBE:
		return pgm_front_describe(front);
	case PGM_FE_EXECUTE:
		return pgm_front_execute(front);
	case PGM_FE_CLOSE:
		return pgm_front_close(front);
	case PGM_FE_SYNC:
		return pgm_front_expect_sync(front) ? pgm_front_pass(front) : pgm_front_out_of_memory(front);
	case PGM_FE_FUNCTION:
		pgm_relay_touch_by_call(client, front->body, front->length);
		if (server->unsynced && pgm_relay_answer_first(client))
			return PGM_NEXT_WAIT;
		server->unsynced = false;
		return pgm_front_request(front, PGM_EXPECT_FUNCTION, 0);
	case PGM_FE_FLUSH:
		if (front->total == PGM_WIRE_HEADER_BYTES)
			return pgm_front_pass(front);
		server->unsynced = server->batch_sent =
			true; /* a broken one is answered by an error, as any request */
		return pgm_front_request(front, PGM_EXPECT_BIND, 0);
	default:
		return pgm_front_pass(front);
	}
}

static enum pgm_next wait_for_server(struct pgm_front *front)
{
	struct pgm_client *client = front->client;
	pgm_client_wait(client);
	if (client->state != PGM_CLIENT_LINKED)
		return client->state >= PGM_CLIENT_CLOSING ? PGM_NEXT_GONE : PGM_NEXT_WAIT;
	client->worker->gather_count = 0;
	client->worker->rewrite_used = 0;
	return to_server(front);
}

/* Without a server: what needs none. */
static enum pgm_next without_server(struct pgm_front *front)
{
	struct pgm_client *client = front->client;
	static const uint8_t ready[] = {PGM_BE_READY, 0, 0, 0, 5, 'I'};
	switch (front->message[0]) {
	case PGM_FE_SYNC:
		if (front->total > PGM_WIRE_HEADER_BYTES) /* broken */
			return wait_for_server(front);
		return pgm_client_send(client, ready, sizeof(ready)) ? PGM_NEXT_MESSAGE : PGM_NEXT_GONE;
	case PGM_FE_FLUSH:
		return front->total > PGM_WIRE_HEADER_BYTES ? wait_for_server(front) : PGM_NEXT_MESSAGE;
	case PGM_FE_COPY_DATA:
	case PGM_FE_COPY_DONE:
	case PGM_FE_COPY_FAIL:
		return PGM_NEXT_MESSAGE; /* the server would read over them */
	case PGM_FE_PARSE:
		if (front->there == front->total &&
		    pgm_relay_parse_without_server(client, front->body, front->length)) {
			client->transaction_us = 0; /* it begins with what needs a server */
			client->idle_since_us = client->worker->loop.now_us;
			return PGM_NEXT_MESSAGE;
		}
		if (client->state >= PGM_CLIENT_CLOSING)
			return PGM_NEXT_GONE;
		/* fall through */
	default:
		return wait_for_server(front);
	}
}

static enum pgm_next handle(struct pgm_front *front)
{
	static const uint64_t needless = PGM_WIRE_TYPE(PGM_FE_SYNC) | PGM_WIRE_TYPE(PGM_FE_FLUSH);
	struct pgm_client *client = front->client;
	if (front->message[0] == PGM_FE_TERMINATE) {
		(void)!pgm_relay_send(client);
		/* a stream of replication ends with its client's goodbye */
		if (!client->replication && pgm_relay_answer_first(client)) {
			client->terminating = true;
			return PGM_NEXT_WAIT;
		}
		pgm_client_close(client, "client close request");
		return PGM_NEXT_GONE;
	}
	if (client->passing_over && front->message[0] != PGM_FE_SYNC)
		return PGM_NEXT_MESSAGE;
	client->passing_over = false;
	if (!client->server && pgm_wire_is_among(front->message[0], needless | PGM_FE_OF_COPY)) {
		client->idle_since_us = client->worker->loop.now_us;
		return without_server(front);
	}
	uint64_t now = client->worker->loop.now_us;
	if (!client->transaction_us) {
		client->transaction_us = now;
		if (now - client->idle_since_us > PGM_CLIENT_BURST_GAP_US)
			client->burst = 0;
	} else if (client->idle_since_us && client->server) {
		client->idle_in_transaction_us += now - client->idle_since_us;
	}
	client->idle_since_us = 0;
	return client->server ? to_server(front) : without_server(front);
}

static bool may_come_in_parts(const struct pgm_front *front)
{
	uint8_t type = front->message[0];
	if (type == PGM_FE_QUERY || type == PGM_FE_PARSE)
		return front->total > PGM_CLIENT_WHOLE_MAX;
	if (type == PGM_FE_BIND && front->there < PGM_CLIENT_WHOLE_MAX) { /* its names must be known */
		struct pgm_cursor cursor = pgm_cursor_over(front->body, front->length);
		(void)pgm_cursor_string(&cursor, NULL);
		(void)pgm_cursor_string(&cursor, NULL);
		if (cursor.bad)
			return false;
	}
	return front->total > PGM_CLIENT_STREAM_BYTES &&
	       (type == PGM_FE_BIND || type == PGM_FE_COPY_DATA || type == PGM_FE_FUNCTION);
}

/* Whether the message is one that a server may get; what is none ends the session. */
static enum pgm_next look_at_header(struct pgm_client *client, uint8_t type, size_t total)
{
	int64_t most = client->worker->pooler->config->max_packet_size_bytes;
	bool possible = total >= PGM_WIRE_HEADER_BYTES && total <= (size_t)PGM_WIRE_MESSAGE_MAX + 1 &&
			(most <= 0 || total <= (size_t)most) &&
			(total <= PGM_CLIENT_SMALL_MAX || !memchr("SHcfEDCX", type, 8));
	/* within COPY the server has words of its own for a type that it does not know */
	bool known = pgm_wire_is_frontend(type) || (client->server && client->server->copy_in);
	if (known && possible)
		return PGM_NEXT_MESSAGE;
	if (pgm_relay_answer_first(client))
		return PGM_NEXT_WAIT;
	if (known)
		pgm_client_end(client, "08P01", "invalid message length");
	else
		pgm_client_end(client, "08P01", "invalid frontend message type %d", type);
	return PGM_NEXT_GONE;
}

size_t pgm_frontend_messages(struct pgm_client *client, const uint8_t *bytes, size_t length)
{
	size_t at = 0;
	client->worker->gather_count = 0;
	client->worker->rewrite_used = 0;
	for (unsigned looks = 0; at < length && client->state < PGM_CLIENT_CLOSING; looks++) {
		if (looks == PGM_CLIENT_TURN_MESSAGES)
			break;
		if (client->stream_left) {
			size_t part = client->stream_left < length - at ? client->stream_left : length - at;
			client->stream_left -= part;
			if (client->server && !client->stream_drop)
				pgm_relay_raw(client, bytes + at, part);
			at += part;
			continue;
		}
		if (client->server && client->server->expect_count >= PGM_CLIENT_REQUESTS_MAX)
			(void)!pgm_relay_answer_first(client);
		if (client->barrier || length - at < PGM_WIRE_HEADER_BYTES)
			break;
		struct pgm_front front = {.client = client,
					  .message = bytes + at,
					  .total = (size_t)pgm_wire_get32(bytes + at + 1) + 1,
					  .body = bytes + at + PGM_WIRE_HEADER_BYTES};
		enum pgm_next next = look_at_header(client, front.message[0], front.total);
		if (next == PGM_NEXT_GONE)
			return length;
		if (next == PGM_NEXT_WAIT)
			break;
		front.there = front.total < length - at ? front.total : length - at;
		front.length = front.there - PGM_WIRE_HEADER_BYTES;
		if (front.there < front.total &&
		    !(may_come_in_parts(&front) && front.there >= PGM_CLIENT_STREAM_BYTES))
			break;
		next = handle(&front);
		if (next == PGM_NEXT_GONE)
			return length;
		if (next == PGM_NEXT_WAIT)
			break;
		if (client->server)
			client->server->batch_sent = client->server->unsynced;
		client->stream_drop = front.there < front.total && !client->stream_left;
		if (client->stream_drop) /* the begin was passed on to nobody, so the rest is not either */
			client->stream_left = front.total - front.there;
		at += front.there;
	}
	if (client->state < PGM_CLIENT_CLOSING && client->server)
		(void)!pgm_relay_send(client);
	return at;
}
