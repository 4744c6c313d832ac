/*
 * From a server to its client. Messages are looked at in the buffer that they were read into, and what the
 * client may see is sent on from there; a message's body is copied only where it had to be kept for the next
 * read. Each answer is matched with the request that it answers (struct pgm_expect): that is how answers to
 * our own requests are left out, answers that no server was asked for are put in, and a server is known to be
 * free.
 */
#include "pool/client.h"
#include "pool/relay.h"
#include "pool/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t *ready_of(char status)
{
	static const uint8_t readies[][6] = {
		{'Z', 0, 0, 0, 5, 'I'}, {'Z', 0, 0, 0, 5, 'T'}, {'Z', 0, 0, 0, 5, 'E'}};
	return readies[status == 'I' ? 0 : status == 'T' ? 1 : 2];
}

struct relay {
	struct pgm_server *server;
	struct pgm_worker *worker;
	const uint8_t *bytes;
	size_t run; /* bytes from here on, up to the message looked at, are to be sent on */
	size_t out_bytes;
	const char *broken;    /* why the server can't be trusted any more */
	uint32_t failed_name;  /* the tag of the name in the request that failed last */
	uint32_t owed_readies; /* for Syncs that were kept back during a COPY */
	bool job_ended;
};

static void flush_gather(struct relay *relay)
{
	struct pgm_worker *worker = relay->worker;
	struct pgm_client *client = relay->server->client;
	int count = worker->gather_count;
	worker->gather_count = 0;
	if (count && client && client->state != PGM_CLIENT_DEAD &&
	    !pgm_stream_writev(&client->stream, worker->gather, count))
		client->stream.hangup = true; /* its own event will close it, and cancel what runs */
}

static void gather(struct relay *relay, const void *bytes, size_t length)
{
	struct pgm_worker *worker = relay->worker;
	if (!length)
		return;
	if (worker->gather_count == PGM_STREAM_IOV_MAX)
		flush_gather(relay);
	worker->gather[worker->gather_count++] = (struct iovec){(void *)(uintptr_t)bytes, length};
	relay->out_bytes += length;
}

/* What came before `at` and was not cut out goes to the client. */
static void end_run(struct relay *relay, size_t at, size_t next)
{
	if (relay->server->client)
		gather(relay, relay->bytes + relay->run, at - relay->run);
	relay->run = next;
}

static void pop(struct pgm_server *server)
{
	assert(server->expect_count);
	server->expect_head++;
	server->expect_count--;
}

/* The answers that no server was asked for and whose turn has come. */
static void answer_locally(struct relay *relay, size_t at)
{
	struct pgm_worker *worker = relay->worker;
	struct pgm_expect *head;
	while ((head = pgm_server_head(relay->server)) && head->flags & PGM_EXPECT_LOCAL) {
		end_run(relay, at, at);
		if (PGM_CARRY_BYTES - worker->rewrite_used < PGM_RELAY_LOCAL_BYTES) {
			flush_gather(relay);
			worker->rewrite_used = 0;
		}
		uint8_t *out = worker->rewrite + worker->rewrite_used;
		size_t made =
			pgm_relay_local_answer((enum pgm_expect_kind)head->kind, out, PGM_RELAY_LOCAL_BYTES);
		worker->rewrite_used += made;
		gather(relay, out, made);
		pop(relay->server);
	}
}

static void count_call(struct relay *relay, struct pgm_expect *expect, bool failed, const char *sqlstate)
{
	struct pgm_server *server = relay->server;
	struct pgm_client *client = server->client;
	uint64_t now = relay->worker->loop.now_us;
	if (!client)
		return;
	struct pgm_pool_stats *stats = &server->share->stats;
	uint64_t elapsed = now - server->mark_us;
	stats->queries++;
	stats->query_us += elapsed;
	if (failed)
		stats->errors++;
	if (expect->entry)
		pgm_relay_profile(client, server, expect, elapsed, failed, sqlstate);
	server->mark_us = now;
	server->bytes_since_mark = 0;
	server->rows = 0;
}

/* The first request that is not answered has failed; those after it, up to the next Sync, are passed over. */
static void fail_batch(struct relay *relay)
{
	struct pgm_server *server = relay->server;
	struct pgm_client *client = server->client;
	struct pgm_expect *head = pgm_server_head(server);
	bool unnamed = head->kind == PGM_EXPECT_PARSE && !head->prepared &&
		       !(head->flags & (PGM_EXPECT_PROXY | PGM_EXPECT_BROKEN));
	bool own = unnamed && !(head->flags & PGM_EXPECT_HIDDEN);
	uint32_t from = server->expect_head, until = from, end = from + server->expect_count;
	while (until != end && server->expects[until & (server->expect_capacity - 1)].kind != PGM_EXPECT_SYNC)
		until++;
	if (client)
		pgm_journal_undo(client, from, until);
	if (unnamed && client) /* it was dropped before the new text was looked at */
		pgm_journal_unnamed_dropped(client, until, own);
	else if (unnamed)
		server->unnamed = 0;
	while ((head = pgm_server_head(server)) && head->kind != PGM_EXPECT_SYNC) {
		pgm_relay_passed_over(server, head);
		pop(server);
	}
	if (!head && relay->owed_readies && client) {
		/* the client's Sync was kept back, so that the server has none yet */
		static const uint8_t sync[] = {PGM_FE_SYNC, 0, 0, 0, 4};
		if (!pgm_server_expect(server, PGM_EXPECT_SYNC, PGM_EXPECT_HIDDEN) ||
		    !pgm_stream_write(&server->stream, sync, sizeof(sync)))
			relay->broken = "server closed the connection unexpectedly";
	} else if (!head) {
		server->skip_to_sync = true;
	}
}

/* A COPY has failed: the Syncs that came behind its data are answered. */
static void owe_readies(struct relay *relay)
{
	struct pgm_server *server = relay->server;
	if (server->client)
		relay->owed_readies = server->syncs_in_copy;
	server->syncs_in_copy = 0;
}

/*
 * Why it is about to end, which nothing asked for. A client that has all its answers and nothing on the
 * server is done with it, though not yet unlinked: it goes on with another one.
 */
static bool hide_last_words(struct pgm_server *server, const struct pgm_wire_error *error)
{
	const struct pgm_client *client = server->client;
	bool concerned = client && server->job == PGM_JOB_NONE &&
			 (server->status != 'I' || client->pins || server->unsynced || server->skip_to_sync);
	pgm_server_last_words(server, error);
	server->client_told = concerned;
	server->close_soon = true;
	return !concerned;
}

static bool hide_error(struct relay *relay, const uint8_t *body, size_t length)
{
	struct pgm_server *server = relay->server;
	struct pgm_expect *head = pgm_server_head(server);
	struct pgm_wire_error error;
	if (!pgm_wire_read_error(body, length, &error))
		error = (struct pgm_wire_error){.severity = "ERROR", .sqlstate = "", .message = ""};
	server->copy_in = false;
	/* a COPY that its client ended was sound: the server read over the Syncs in it */
	if (strncmp(error.message, "COPY from stdin failed", 22) == 0 ||
	    strncmp(error.message, "unexpected message type", 23) == 0)
		server->syncs_in_copy = 0;
	if (!head)
		return hide_last_words(server, &error);
	if (head->kind == PGM_EXPECT_JOB) {
		pgm_job_message(server, PGM_BE_ERROR, body, length);
		return true;
	}
	if (strcmp(error.severity, "FATAL") == 0 || strcmp(error.severity, "PANIC") == 0) {
		/* the end follows, and nothing is to be added to it */
		server->client_told |= server->client != NULL;
		server->syncs_in_copy = 0;
	}
	relay->failed_name = head->name_tag;
	if (strcmp(error.sqlstate, "0A000") == 0 && head->kind != PGM_EXPECT_QUERY)
		pgm_prepared_new_epoch();
	switch ((enum pgm_expect_kind)head->kind) {
	case PGM_EXPECT_QUERY:
	case PGM_EXPECT_FUNCTION:
		server->close_soon |= server->syncs_in_copy > 0;
		server->failed = true;
		memcpy(server->failed_sqlstate, error.sqlstate,
		       strnlen(error.sqlstate, sizeof(server->failed_sqlstate) - 1));
		break;
	case PGM_EXPECT_SYNC: /* a deferred constraint */
		break;
	default:
		/* which of the Syncs that were sent within the COPY it will answer is not known */
		server->close_soon |= server->syncs_in_copy > 0;
		if (head->entry)
			count_call(relay, head, true, error.sqlstate);
		else if (server->client)
			server->share->stats.errors++;
		owe_readies(relay);
		fail_batch(relay);
	}
	return false;
}

/* Whether the client may not see a ReadyForQuery. */
static bool hide_ready(struct relay *relay, const uint8_t *body, size_t length)
{
	struct pgm_server *server = relay->server;
	struct pgm_expect *head = pgm_server_head(server);
	if (length != 1 || !memchr("ITE", body[0], 3)) {
		relay->broken = "the server sent a malformed ReadyForQuery";
		return true;
	}
	server->status = (char)body[0];
	server->copy_in = false;
	if (!head) {
		relay->broken = "the server sent a ReadyForQuery that nothing asked for";
		return true;
	}
	bool job = head->kind == PGM_EXPECT_JOB;
	if (!job && head->kind != PGM_EXPECT_QUERY && head->kind != PGM_EXPECT_FUNCTION &&
	    head->kind != PGM_EXPECT_SYNC) {
		relay->broken = "the server sent a ReadyForQuery out of turn";
		return true;
	}
	bool hidden = head->flags & PGM_EXPECT_HIDDEN;
	if (head->kind == PGM_EXPECT_QUERY) {
		count_call(relay, head, server->failed, server->failed_sqlstate);
		if (server->failed)
			owe_readies(relay);
	}
	pgm_stream_bulk_ends(&server->stream);
	if (server->client)
		pgm_stream_bulk_ends(&server->client->stream);
	server->syncs_in_copy = 0;
	server->failed = false;
	memset(server->failed_sqlstate, 0, sizeof(server->failed_sqlstate));
	pop(server);
	relay->job_ended |= job;
	return job || hidden;
}

static bool hide_answer(struct relay *relay, enum pgm_expect_kind kind)
{
	struct pgm_server *server = relay->server;
	struct pgm_expect *head = pgm_server_head(server);
	if (!head || head->kind != kind) {
		relay->broken = "the server answered out of turn";
		return true;
	}
	bool hidden = head->flags & PGM_EXPECT_HIDDEN;
	pgm_relay_answered(server, head);
	pop(server);
	return hidden;
}

static void note_parameter(struct relay *relay, const uint8_t *body, size_t length)
{
	struct pgm_server *server = relay->server;
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	const char *name = pgm_cursor_string(&cursor, NULL);
	const char *value = pgm_cursor_string(&cursor, NULL);
	if (cursor.bad)
		return;
	struct pgm_client *client = server->client;
	if (!pgm_pairs_change(&server->reports, pgm_pairs_with(server->reports, name, value)))
		relay->broken = "out of memory";
	if (!client || !client->reports || server->job != PGM_JOB_NONE)
		return;
	if (!pgm_pairs_change(&client->reports, pgm_pairs_with(client->reports, name, value)))
		relay->broken = "out of memory";
	if (strcmp(name, "standard_conforming_strings") == 0)
		client->standard_strings = strcmp(value, "off") != 0;
}

static void note_command(struct relay *relay, const uint8_t *body, size_t length)
{
	struct pgm_server *server = relay->server;
	struct pgm_expect *head = pgm_server_head(server);
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	size_t tag_length;
	const char *tag = pgm_cursor_string(&cursor, &tag_length);
	server->rows += pgm_scan_tag_rows(tag, tag_length);
	server->syncs_in_copy = 0; /* it has read over them */
	if (!head || !server->client)
		return;
	bool discards = *tag == 'D' && strcmp(tag, "DISCARD ALL") == 0;
	if (discards)
		pgm_session_discarded(server);
	if (discards || (*tag == 'D' && strcmp(tag, "DEALLOCATE ALL") == 0)) {
		server->client->portal = NULL;
		pgm_holding_clear(&server->holding);
		pgm_names_clear(&server->client->names);
	}
	if (head->flags & PGM_EXPECT_DDL)
		pgm_prepared_new_epoch();
	if (head->kind == PGM_EXPECT_EXECUTE) {
		count_call(relay, head, false, NULL);
		pop(server);
	}
}

/* Whether the client may not see this message. The body may be its begin alone, where it is long. */
static bool hide_message(struct relay *relay, uint8_t type, const uint8_t *body, size_t length)
{
	struct pgm_server *server = relay->server;
	struct pgm_expect *head = pgm_server_head(server);
	bool job = head && head->kind == PGM_EXPECT_JOB;
	switch (type) {
	case PGM_BE_PARAMETER_STATUS:
		note_parameter(relay, body, length);
		return job || !server->client;
	case PGM_BE_NOTIFICATION:
		return !server->client;
	case PGM_BE_NOTICE:
		return job || !server->client;
	case PGM_BE_ERROR:
		return hide_error(relay, body, length);
	case PGM_BE_READY:
		return hide_ready(relay, body, length);
	default:
		break;
	}
	if (job) {
		pgm_job_message(server, (char)type, body, length);
		return true;
	}
	if (!head) {
		relay->broken = "the server sent something that nothing asked for";
		return true;
	}
	switch (type) {
	case PGM_BE_PARSE_COMPLETE:
		return hide_answer(relay, PGM_EXPECT_PARSE);
	case PGM_BE_BIND_COMPLETE:
		return hide_answer(relay, PGM_EXPECT_BIND);
	case PGM_BE_CLOSE_COMPLETE:
		return hide_answer(relay, PGM_EXPECT_CLOSE);
	case PGM_BE_NO_DATA:
		return hide_answer(relay, PGM_EXPECT_DESCRIBE);
	case PGM_BE_ROW_DESCRIPTION:
		if (head->kind == PGM_EXPECT_DESCRIBE)
			pop(server);
		return false;
	case PGM_BE_COMMAND_COMPLETE:
		if (head->kind == PGM_EXPECT_EXECUTE && head->flags & PGM_EXPECT_HIDDEN)
			return hide_answer(relay, PGM_EXPECT_EXECUTE);
		note_command(relay, body, length);
		return false;
	case PGM_BE_PORTAL_SUSPENDED:
	case PGM_BE_EMPTY_QUERY:
		if (head->kind == PGM_EXPECT_EXECUTE) {
			count_call(relay, head, false, NULL);
			pop(server);
		}
		return false;
	case PGM_BE_COPY_IN:
		server->copy_in = true;
		return false;
	case PGM_BE_DATA_ROW:
	case PGM_BE_PARAMETER_DESCRIPTION:
	case PGM_BE_COPY_DATA:
	case PGM_BE_COPY_DONE:
	case PGM_BE_COPY_OUT:
	case PGM_BE_COPY_BOTH:
	case PGM_BE_FUNCTION_RESULT:
		return false;
	default:
		relay->broken = "the server sent a message of an unknown type";
		return true;
	}
}

static bool must_be_whole(uint8_t type)
{
	return !memchr("DTtdV", type, 5);
}

/* An error text that names a statement as we called it is told with the client's name. */
static bool rename_in_error(struct relay *relay, const uint8_t *message, size_t length, size_t at)
{
	struct pgm_worker *worker = relay->worker;
	struct pgm_client *client = relay->server->client;
	if (!client || !client->names.count || !memmem(message, length, "\"PGM_", 5))
		return false;
	size_t room = PGM_CARRY_BYTES - worker->rewrite_used;
	uint8_t *out = worker->rewrite + worker->rewrite_used;
	size_t made = pgm_relay_rename(client, relay->failed_name, message, length, out, room);
	if (!made)
		return false;
	worker->rewrite_used += made;
	end_run(relay, at, at + length);
	gather(relay, out, made);
	return true;
}

/* Rows, or COPY data, that are there whole from here on: how many bytes. There is nothing to be looked at. */
static size_t rows_ahead(const uint8_t *bytes, size_t length)
{
	size_t at = 0;
	while (length - at >= PGM_WIRE_HEADER_BYTES && bytes[at] == bytes[0]) {
		size_t total = (size_t)pgm_wire_get32(bytes + at + 1) + 1;
		if (total < PGM_WIRE_HEADER_BYTES || total > length - at)
			break;
		at += total;
	}
	return at;
}

/* How many bytes are done with; the rest is the begin of a message. */
static size_t relay_bytes(struct relay *relay, size_t length)
{
	struct pgm_server *server = relay->server;
	const uint8_t *bytes = relay->bytes;
	size_t at = 0;
	if (server->skip) {
		at = server->skip < length ? server->skip : length;
		server->skip -= at;
		if (server->skip_hidden)
			end_run(relay, 0, at);
		else
			server->bytes_since_mark += at;
	}
	while (length - at >= PGM_WIRE_HEADER_BYTES && !relay->broken) {
		uint8_t type = bytes[at];
		size_t total = (size_t)pgm_wire_get32(bytes + at + 1) + 1;
		size_t there = length - at;
		if (total < PGM_WIRE_HEADER_BYTES || total > (size_t)PGM_WIRE_MESSAGE_MAX + 1) {
			relay->broken = "the server sent a message of an impossible length";
			break;
		}
		const struct pgm_expect *head = pgm_server_head(server);
		bool own = head && head->kind == PGM_EXPECT_JOB; /* read by us, not passed on */
		if ((type == PGM_BE_DATA_ROW || type == PGM_BE_COPY_DATA) && head && !own && total <= there) {
			size_t rows = rows_ahead(bytes + at, there);
			server->bytes_since_mark += rows;
			at += rows;
			continue;
		}
		if (there < total && total <= PGM_CARRY_BYTES && (own || must_be_whole(type)))
			break;
		size_t seen = there < total ? there : total;
		bool hidden = hide_message(relay, type, bytes + at + PGM_WIRE_HEADER_BYTES,
					   seen - PGM_WIRE_HEADER_BYTES);
		if (!hidden)
			server->bytes_since_mark += seen;
		if (hidden)
			end_run(relay, at, at + seen);
		else if (type == PGM_BE_ERROR && seen == total)
			rename_in_error(relay, bytes + at, total, at);
		if (seen < total) {
			server->skip = total - seen;
			server->skip_hidden = hidden;
		}
		at += seen;
		for (; relay->owed_readies; relay->owed_readies--) {
			end_run(relay, at, at);
			gather(relay, ready_of(server->status), PGM_WIRE_HEADER_BYTES + 1);
		}
		if (server->expect_count)
			answer_locally(relay, at);
	}
	end_run(relay, at, at);
	return at;
}

static bool keep_rest(struct pgm_server *server, const uint8_t *rest, size_t length)
{
	if (length > server->carry_capacity) {
		uint8_t *grown = realloc(server->carry, length);
		if (!grown)
			return false;
		server->carry = grown;
		server->carry_capacity = length;
	}
	if (length)
		memcpy(server->carry, rest, length);
	server->carry_length = length;
	return true;
}

/* What the answers that came allow to be done next. Nothing in the worker's scratch is needed any more. */
static void go_on(struct pgm_server *server, bool job_ended)
{
	struct pgm_client *client = server->client;
	if (job_ended) {
		pgm_job_done(server);
		return;
	}
	if (server->job != PGM_JOB_NONE || !client)
		return;
	bool answered = server->expect_count == 0 && !server->skip && !server->carry_length;
	if (answered && server->status != 'I')
		client->idle_since_us = server->share->worker->loop.now_us;
	if (client->barrier && (answered || server->copy_in)) {
		client->barrier = false;
		client->again = true;
	}
	if (answered && !server->copy_in && !server->skip_to_sync && !client->stream_left &&
	    server->status == 'I' && !server->unsynced && !client->running)
		pgm_session_transaction_end(server);
	else if (client->again || client->pending_end > client->pending_start)
		pgm_client_run(client);
}

void pgm_server_relay(struct pgm_server *server)
{
	struct pgm_worker *worker = server->share->worker;
	for (unsigned turns = 0;; turns++) {
		struct pgm_client *client = server->client;
		if (turns == pgm_worker_turns(worker)) {
			pgm_loop_again(&worker->loop, &server->stream.source);
			return;
		}
		if (client && pgm_stream_waiting(&client->stream))
			return; /* until the client has read */
		uint8_t *start = worker->scratch + PGM_CARRY_BYTES - server->carry_length;
		size_t got;
		enum pgm_stream_result result = pgm_stream_read(
			&server->stream, worker->scratch + PGM_CARRY_BYTES, PGM_SCRATCH_BYTES, &got);
		if (result == PGM_STREAM_WAIT)
			return;
		if (result == PGM_STREAM_END) {
			pgm_server_lost(server, "server closed the connection unexpectedly");
			return;
		}
		if (server->carry_length)
			memcpy(start, server->carry, server->carry_length);
		struct relay relay = {.server = server, .worker = worker, .bytes = start};
		size_t length = server->carry_length + got;
		worker->gather_count = 0;
		worker->rewrite_used = 0;
		size_t done = relay_bytes(&relay, length);
		flush_gather(&relay);
		server->share->stats.bytes_out += client ? relay.out_bytes : 0;
		if (!relay.broken && !keep_rest(server, start + done, length - done))
			relay.broken = "out of memory";
		if (relay.broken) {
			pgm_server_lost(server, relay.broken);
			return;
		}
		/* one with nothing to read may be another worker's from here on: it is not looked at again */
		bool more = server->stream.readable;
		go_on(server, relay.job_ended);
		if (!more || (server->state != PGM_SERVER_LINKED && server->state != PGM_SERVER_IDLE))
			return;
	}
}

struct pgm_expect *pgm_server_expect(struct pgm_server *server, enum pgm_expect_kind kind, unsigned flags)
{
	if (server->expect_count == server->expect_capacity) {
		uint32_t wanted = server->expect_capacity ? server->expect_capacity * 2 : 16;
		struct pgm_expect *grown = malloc(wanted * sizeof(*grown));
		if (!grown)
			return NULL;
		/* positions stay what they are: the journal knows requests by them */
		for (uint32_t i = server->expect_head; i != server->expect_head + server->expect_count; i++)
			grown[i & (wanted - 1)] = server->expects[i & (server->expect_capacity - 1)];
		free(server->expects);
		server->expects = grown;
		server->expect_capacity = wanted;
	}
	struct pgm_expect *expect = &server->expects[(server->expect_head + server->expect_count++) &
						     (server->expect_capacity - 1)];
	*expect = (struct pgm_expect){.kind = (uint8_t)kind, .flags = (uint8_t)flags};
	return expect;
}
