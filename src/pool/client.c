#include "pool/client.h"

#include "pool/console/console.h"
#include "pool/relay.h"
#include "pool/session.h"
#include "pool/tcp.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void free_client(struct pgm_grave *grave)
{
	struct pgm_client *client = (struct pgm_client *)grave;
	pgm_login_free(client->login);
	pgm_console_client_free(client->console);
	pgm_journal_clear(client);
	free(client->journal);
	free(client->pending);
	free(client->unnamed);
	free(client->custom_settings);
	pgm_names_clear(&client->names);
	pgm_pairs_drop(client->base);
	pgm_pairs_drop(client->settings);
	pgm_pairs_drop(client->shaping);
	pgm_pairs_drop(client->reports);
	free(client);
}

void pgm_client_accept(struct pgm_worker *worker, int fd, const struct sockaddr *address, const char *peer)
{
	struct pgm_client *client = calloc(1, sizeof(*client));
	if (!client || !pgm_stream_open(&client->stream, &worker->loop, fd, address, pgm_client_ready)) {
		free(client);
		close(fd);
		return;
	}
	if (!client->stream.unix_socket)
		pgm_tcp_tune(fd, worker->pooler->config);
	client->grave.release = free_client;
	client->worker = worker;
	client->id = atomic_fetch_add(&worker->pooler->next_client_id, 1) + 1;
	client->connected_us = worker->loop.now_us;
	client->standard_strings = true;
	snprintf(client->peer, sizeof(client->peer), "%s", peer);
	pgm_list_append(&worker->clients, &client->link);
	atomic_fetch_add(&worker->client_count, 1);
}

static void leave_queue(struct pgm_client *client)
{
	if (!client->waiting.next)
		return;
	struct pgm_share *share = client->share;
	pgm_list_remove(&share->waiting, &client->waiting);
	atomic_fetch_sub(&share->pool->waiting, 1);
	pgm_share_note_queue(share);
}

void pgm_client_close(struct pgm_client *client, const char *reason)
{
	struct pgm_worker *worker = client->worker;
	if (client->state == PGM_CLIENT_DEAD)
		return;
	if (reason && worker->pooler->config->log_disconnections && client->share)
		pgm_log(PGM_LOG_NOTICE, "C-%llu: %s/%s@%s closing because: %s (age=%llus)",
			(unsigned long long)client->id, client->share->pool->database->name,
			client->user->name, client->peer, reason,
			(unsigned long long)((worker->loop.now_us - client->connected_us) / 1000000));
	leave_queue(client);
	if (client->moving.next)
		pgm_list_remove(&worker->movers, &client->moving);
	pgm_console_gone(client);
	client->state = PGM_CLIENT_DEAD;
	if (client->has_key)
		pgm_cancel_forget(worker->pooler, &client->key);
	if (client->counted) {
		atomic_fetch_sub(&worker->pooler->client_count, 1);
		atomic_fetch_sub(&client->share->pool->clients, 1);
		atomic_fetch_sub(&client->share->pool->database->clients, 1);
		atomic_fetch_sub(&client->user->clients, 1);
	}
	if (client->server)
		pgm_server_abandon(client->server);
	if (worker->next_checked == &client->link)
		worker->next_checked = client->link.next;
	pgm_list_remove(&worker->clients, &client->link);
	atomic_fetch_sub(&worker->client_count, 1);
	pgm_stream_close(&client->stream);
	pgm_loop_bury(&worker->loop, &client->grave);
}

bool pgm_client_send(struct pgm_client *client, const void *bytes, size_t length)
{
	if (client->state == PGM_CLIENT_DEAD)
		return false;
	if (pgm_stream_write(&client->stream, bytes, length))
		return true;
	pgm_client_close(client, "client connection broke");
	return false;
}

/* Bytes of a message that is not yet passed on whole would be mistaken for the begin of ours. */
static bool may_be_told(const struct pgm_client *client)
{
	return !client->server || !client->server->skip || client->server->skip_hidden;
}

void pgm_client_farewell(struct pgm_client *client)
{
	uint8_t packet[256];
	struct pgm_writer writer = pgm_writer_over(packet, sizeof(packet));
	pgm_wire_error(&writer, &(struct pgm_wire_error){
					.severity = "FATAL",
					.sqlstate = "57P01",
					.message = "terminating connection due to administrator command"});
	if (client->state < PGM_CLIENT_CLOSING && client->state != PGM_CLIENT_TLS && may_be_told(client))
		(void)!pgm_stream_write(&client->stream, packet, pgm_writer_length(&writer));
	pgm_client_close(client, "the pooler ends");
}

void pgm_client_end(struct pgm_client *client, const char *sqlstate, const char *format, ...)
{
	char message[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	pgm_client_end_because(client, sqlstate, message, NULL);
}

void pgm_client_end_because(struct pgm_client *client, const char *sqlstate, const char *message,
			    const char *detail)
{
	uint8_t packet[2400];
	if (client->state >= PGM_CLIENT_CLOSING)
		return;
	if (client->server && client->server->client_told)
		sqlstate = NULL; /* the server has said why */
	if (client->worker->pooler->config->log_pooler_errors && sqlstate)
		pgm_log(PGM_LOG_WARNING, "C-%llu: %s/%s@%s pooler error: %s%s%s",
			(unsigned long long)client->id,
			client->share ? client->share->pool->database->name : "(nodb)",
			client->user ? client->user->name : "(nouser)", client->peer, message,
			detail ? ": " : "", detail ? detail : "");
	if (sqlstate && may_be_told(client)) {
		struct pgm_writer writer = pgm_writer_over(packet, sizeof(packet));
		pgm_wire_error(&writer, &(struct pgm_wire_error){.severity = "FATAL",
								 .sqlstate = sqlstate,
								 .message = message,
								 .detail = detail});
		if (!pgm_client_send(client, packet, pgm_writer_length(&writer)))
			return;
	}
	if (pgm_stream_waiting(&client->stream) == 0) {
		pgm_client_close(client, message);
		return;
	}
	leave_queue(client);
	client->state = PGM_CLIENT_CLOSING;
	client->request_us = client->worker->loop.now_us;
	if (client->server)
		pgm_server_abandon(client->server);
}

bool pgm_client_set_settings(struct pgm_client *client, const struct pgm_pairs *settings)
{
	const struct pgm_pairs *shaping =
		settings ? pgm_pairs_with(settings, "application_name", NULL) : NULL;
	if (!shaping) {
		pgm_pairs_drop(settings);
		return false;
	}
	pgm_pairs_put(&client->settings, settings);
	pgm_pairs_put(&client->shaping, shaping);
	return true;
}

/* ---- waiting for a server ---- */

void pgm_client_wait(struct pgm_client *client)
{
	struct pgm_share *share = client->share;
	assert(!client->server);
	if (client->state != PGM_CLIENT_WELCOME)
		client->state = PGM_CLIENT_WAITING;
	client->wait_since_us = share->worker->loop.now_us;
	client->wait_noticed = false;
	pgm_list_append(&share->waiting, &client->waiting);
	atomic_fetch_add(&share->pool->waiting, 1);
	pgm_share_note_queue(share);
	pgm_share_serve(share);
}

void pgm_client_leave_queue(struct pgm_client *client)
{
	leave_queue(client);
}

void pgm_client_linked(struct pgm_client *client)
{
	struct pgm_share *share = client->share;
	uint64_t waited = share->worker->loop.now_us - client->wait_since_us;
	if (client->state == PGM_CLIENT_WELCOME) {
		pgm_login_welcome(client);
		return;
	}
	if (client->state == PGM_CLIENT_WAITING) {
		share->stats.wait_us += waited;
		client->wait_us += waited;
	}
	client->state = PGM_CLIENT_LINKED;
	pgm_client_run(client);
}

void pgm_client_link_failed(struct pgm_client *client, const char *sqlstate, const char *message)
{
	pgm_client_end(client, *sqlstate ? sqlstate : "08006", "%s", message);
}

static const char why_canceled[] = "canceling statement due to user request";

bool pgm_client_fail_request(struct pgm_client *client, char status)
{
	size_t held = client->pending_end - client->pending_start;
	const uint8_t *first = client->pending + client->pending_start;
	size_t total = held >= PGM_WIRE_HEADER_BYTES ? (size_t)pgm_wire_get32(first + 1) + 1 : 0;
	if (total == 0 || total > held) /* too long to be whole */
		return false;
	uint8_t packet[200];
	struct pgm_writer writer = pgm_writer_over(packet, sizeof(packet));
	pgm_wire_error(&writer, &(struct pgm_wire_error){
					.severity = "ERROR", .sqlstate = "57014", .message = why_canceled});
	client->passing_over = *first != PGM_FE_QUERY && *first != PGM_FE_FUNCTION;
	if (!client->passing_over) {
		client->pending_start += total;
		pgm_wire_ready(&writer, status);
	}
	if (status == 'I')
		client->transaction_us = 0;
	(void)pgm_client_send(client, packet, pgm_writer_length(&writer));
	return true;
}

/* PostgreSQL has none to cancel while it reads, either. */
static bool has_request(const struct pgm_client *client)
{
	return client->pending_end > client->pending_start && !client->passing_over &&
	       memchr("QFPBDEC", client->pending[client->pending_start], 7);
}

void pgm_client_cancel_waiting(struct pgm_client *client)
{
	if (!has_request(client))
		return;
	leave_queue(client);
	if (!pgm_client_fail_request(client, 'I')) {
		pgm_client_end(client, "57014", "%s", why_canceled);
		return;
	}
	if (client->state == PGM_CLIENT_DEAD)
		return;
	client->state = PGM_CLIENT_IDLE;
	pgm_client_run(client);
}

void pgm_client_cancel_next(struct pgm_client *client)
{
	const struct pgm_server *server = client->server;
	if (!has_request(client))
		return;
	if (server->status != 'I') /* its transaction must fail, too */
		client->cancel_due = true;
	else
		(void)!pgm_client_fail_request(client, 'I');
}

const char *pgm_pin_words(unsigned pins, char *out, size_t size)
{
	static const char *const words[] = {"listen",	      "temporary table", "prepared statement",
					    "advisory lock",  "holdable cursor", "setting",
					    "sequence value", "session"};
	size_t length = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (pins & 1u << i && length < size)
			length += (size_t)snprintf(out + length, size - length, "%s%s", length ? ", " : "",
						   words[i]);
	return out;
}

/* ---- reading ---- */

/* Whether more of its messages can be passed on now. */
static bool can_go_on(const struct pgm_client *client)
{
	if (client->worker->suspended || pgm_stream_waiting(&client->stream) > PGM_CLIENT_UNREAD_MAX)
		return false;
	if (client->state == PGM_CLIENT_IDLE)
		return true;
	return client->state == PGM_CLIENT_LINKED && client->server && client->server->job == PGM_JOB_NONE &&
	       !client->barrier && pgm_stream_waiting(&client->server->stream) == 0;
}

bool pgm_client_keep(struct pgm_client *client, const uint8_t *bytes, size_t length)
{
	size_t held = client->pending_end - client->pending_start;
	if (client->pending_start) {
		memmove(client->pending, client->pending + client->pending_start, held);
		client->pending_start = 0;
		client->pending_end = held;
	}
	if (held + length > client->pending_capacity) {
		size_t wanted = client->pending_capacity ? client->pending_capacity : 1024;
		while (wanted < held + length)
			wanted *= 2;
		uint8_t *grown = realloc(client->pending, wanted);
		if (!grown)
			return false;
		client->pending = grown;
		client->pending_capacity = wanted;
	}
	if (length)
		memcpy(client->pending + held, bytes, length);
	client->pending_end = held + length;
	return true;
}

static void drop_pending(struct pgm_client *client)
{
	client->pending_start = client->pending_end = 0;
	if (client->pending_capacity > PGM_CLIENT_PENDING_MAX ||
	    (client->state == PGM_CLIENT_IDLE && client->pending_capacity > 1024)) {
		free(client->pending);
		client->pending = NULL;
		client->pending_capacity = 0;
	}
}

/* Pass on what is pending. */
static void run_pending(struct pgm_client *client)
{
	size_t length = client->pending_end - client->pending_start;
	size_t done = pgm_frontend_messages(client, client->pending + client->pending_start, length);
	if (client->state >= PGM_CLIENT_CLOSING)
		return;
	client->pending_start += done;
	if (client->pending_start == client->pending_end)
		drop_pending(client);
}

/* How much may be read ahead while it cannot go on. */
static bool may_read(const struct pgm_client *client)
{
	size_t held = client->pending_end - client->pending_start;
	return can_go_on(client) || held < PGM_CLIENT_PENDING_MAX;
}

/* False: nothing more to read now, or the client is gone. */
static bool read_some(struct pgm_client *client)
{
	struct pgm_worker *worker = client->worker;
	uint8_t *bytes = worker->scratch + PGM_CARRY_BYTES;
	size_t got, size = PGM_SCRATCH_BYTES;
	enum pgm_stream_result result = pgm_stream_read(&client->stream, bytes, size, &got);
	if (result == PGM_STREAM_WAIT)
		return false;
	if (result == PGM_STREAM_END && client->terminating) {
		client->stream.readable = false; /* it said goodbye: what it asked before is still done */
		return false;
	}
	if (result == PGM_STREAM_END) {
		pgm_client_close(client, "client unexpected eof");
		return false;
	}
	client->share->stats.bytes_in += got;
	client->request_us = worker->loop.now_us;
	if (client->pending_end > client->pending_start || !can_go_on(client)) {
		if (!pgm_client_keep(client, bytes, got)) {
			pgm_client_end(client, "53200", "out of memory");
			return false;
		}
		if (can_go_on(client))
			run_pending(client);
		return client->state < PGM_CLIENT_CLOSING;
	}
	size_t done = pgm_frontend_messages(client, bytes, got);
	if (client->state >= PGM_CLIENT_CLOSING)
		return false;
	if (done < got && !pgm_client_keep(client, bytes + done, got - done)) {
		pgm_client_end(client, "53200", "out of memory");
		return false;
	}
	return true;
}

/* Its server was asked nothing that it still owes, and holds nothing of a transaction. */
static bool is_done(const struct pgm_client *client)
{
	const struct pgm_server *server = client->server;
	return client->state == PGM_CLIENT_LINKED && server && server->job == PGM_JOB_NONE &&
	       server->expect_count == 0 && server->status == 'I' && !server->unsynced && !server->copy_in &&
	       !server->skip_to_sync && !client->stream_left && !client->pins && !server->skip &&
	       !server->carry_length;
}

static bool step(struct pgm_client *client)
{
	client->again = false;
	if (can_go_on(client) && client->pending_end > client->pending_start) {
		size_t before = client->pending_end - client->pending_start;
		run_pending(client);
		if (client->state >= PGM_CLIENT_CLOSING)
			return false;
		if (client->pending_end - client->pending_start != before)
			return true;
	}
	return client->stream.readable && may_read(client) && read_some(client);
}

/* While its bytes are in the worker's scratch and buffers, no other client is served. */
static bool run_once(struct pgm_client *client)
{
	struct pgm_worker *worker = client->worker;
	struct pgm_share *share = client->share;
	worker->reading = client;
	bool more = step(client);
	worker->reading = NULL;
	if (share->unserved) {
		share->unserved = false;
		pgm_share_serve(share);
	}
	return more && client->state < PGM_CLIENT_CONSOLE;
}

void pgm_client_run(struct pgm_client *client)
{
	if (client->running) {
		client->again = true;
		return;
	}
	if (client->state < PGM_CLIENT_IDLE || client->state >= PGM_CLIENT_CONSOLE)
		return;
	client->running = true;
	if (client->round != client->worker->round) {
		client->round = client->worker->round;
		client->worker->active++;
	}
	unsigned turns = 0, most = pgm_worker_turns(client->worker);
	while ((run_once(client) || (client->again && client->state < PGM_CLIENT_CONSOLE)) && ++turns < most)
		;
	client->running = false;
	if (turns == most && client->state < PGM_CLIENT_CONSOLE) {
		pgm_loop_again(client->stream.loop, &client->stream.source);
		return;
	}
	if (client->state == PGM_CLIENT_LINKED && is_done(client))
		pgm_session_transaction_end(client->server);
	struct pgm_worker *worker = client->worker;
	if (worker->move_quota && client->state == PGM_CLIENT_IDLE && !client->moving.next) {
		worker->move_quota--;
		pgm_list_append(&worker->movers, &client->moving);
	}
}

/* ---- to another worker ---- */

struct move {
	struct pgm_letter letter;
	struct pgm_client *client;
};

static void take_moved(struct pgm_letter *letter, void *owner)
{
	struct pgm_client *client = ((struct move *)letter)->client;
	struct pgm_worker *worker = owner;
	struct pgm_share *share = pgm_worker_share(worker, client->share->pool);
	free(letter);
	client->worker = worker;
	pgm_list_append(&worker->clients, &client->link);
	atomic_fetch_add(&worker->client_count, 1);
	pgm_cancel_move(worker->pooler, &client->key, worker->index);
	if (share)
		client->share = share;
	if (!pgm_stream_join(&client->stream, &worker->loop) || !share)
		pgm_client_close(client, "it could not go to another worker");
}

static bool can_move(const struct pgm_client *client)
{
	return client->state == PGM_CLIENT_IDLE && !client->server && !client->running &&
	       client->pending_end == client->pending_start && !client->stream.readable &&
	       !client->stream.hangup && pgm_stream_waiting(&client->stream) == 0;
}

void pgm_client_move_all(struct pgm_worker *worker)
{
	struct pgm_client *client;
	pgm_list_each(&worker->movers, client, struct pgm_client, moving)
	{
		struct move *move = can_move(client) ? malloc(sizeof(*move)) : NULL;
		pgm_list_remove(&worker->movers, &client->moving);
		if (!move || !worker->move_to) {
			free(move);
			continue;
		}
		*move = (struct move){.letter.deliver = take_moved, .client = client};
		pgm_list_remove(&worker->clients, &client->link);
		atomic_fetch_sub(&worker->client_count, 1);
		pgm_stream_leave(&client->stream);
		pgm_loop_post(&worker->move_to->loop, &move->letter);
	}
}

void pgm_client_ready(struct pgm_source *source, uint32_t events)
{
	struct pgm_client *client = pgm_container_of(source, struct pgm_client, stream.source);
	bool waited = pgm_stream_waiting(&client->stream) > 0;
	if (!pgm_stream_note(&client->stream, events)) {
		pgm_client_close(client, "client connection broke");
		return;
	}
	switch (client->state) {
	case PGM_CLIENT_FIRST:
	case PGM_CLIENT_TLS:
	case PGM_CLIENT_SECRET:
	case PGM_CLIENT_AUTH:
	case PGM_CLIENT_WELCOME:
	case PGM_CLIENT_CANCEL:
		pgm_login_run(client);
		return;
	case PGM_CLIENT_CONSOLE:
		pgm_console_ready(client);
		return;
	case PGM_CLIENT_CLOSING:
		if (pgm_stream_waiting(&client->stream) == 0 || client->stream.hangup)
			pgm_client_close(client, "");
		return;
	case PGM_CLIENT_DEAD:
		return;
	default:
		break;
	}
	/* what it did not read has gone: its server may send on */
	if (waited && client->server && pgm_stream_waiting(&client->stream) == 0)
		pgm_server_relay(client->server);
	if (client->state >= PGM_CLIENT_CLOSING)
		return;
	pgm_client_run(client);
	/* gone while its query waits or runs, and too much is read ahead to see its end: nobody wants the
	 * answer */
	if (client->state < PGM_CLIENT_CANCEL && client->stream.hangup && client->stream.readable &&
	    !client->terminating && !can_go_on(client))
		pgm_client_close(client, "client unexpected eof");
}
