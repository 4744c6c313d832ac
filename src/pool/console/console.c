#include "pool/console/console_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool pgm_console_is(const char *database)
{
	return strcmp(database, PGM_CONSOLE_NAME) == 0 || strcmp(database, "pgmend") == 0;
}

/* Of all poolers, and never changed: it only stands for "the console". */
struct pgm_database *pgm_console_database(struct pgm_pooler *pooler)
{
	static const struct pgm_config_database config = {.name = PGM_CONSOLE_NAME,
							  .dbname = PGM_CONSOLE_NAME};
	static char name[] = PGM_CONSOLE_NAME;
	static struct pgm_database database = {.name = name, .config = &config, .server_name = name};
	(void)pooler;
	return &database;
}

/* ---- who ---- */

bool pgm_console_is_own(const struct pgm_client *client, const char *user)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	return client->stream.unix_socket && pgm_console_is(user) &&
	       getsockopt(client->stream.source.fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       peer.uid == geteuid();
}

void pgm_console_client_free(struct pgm_console_client *console)
{
	if (!console)
		return;
	free(console->user);
	free(console->input);
	free(console);
}

static bool welcome(struct pgm_client *client)
{
	static const char *const reports[][2] = {
		{"server_version", "1.25.2/pgmend"},
		{"client_encoding", "UTF8"},
		{"server_encoding", "UTF8"},
		{"DateStyle", "ISO"},
		{"TimeZone", "GMT"},
		{"standard_conforming_strings", "on"},
		{"is_superuser", "on"},
	};
	uint8_t packet[1024];
	struct pgm_writer writer = pgm_writer_over(packet, sizeof(packet));
	pgm_wire_authentication(&writer, PGM_WIRE_AUTH_OK, NULL, 0);
	for (size_t i = 0; i < sizeof(reports) / sizeof(*reports); i++)
		pgm_wire_parameter_status(&writer, reports[i][0], reports[i][1]);
	pgm_writer_begin(&writer, PGM_BE_BACKEND_KEY);
	pgm_writer_u32(&writer, client->key.pid);
	pgm_writer_bytes(&writer, client->key.secret, client->key.length);
	pgm_writer_end(&writer);
	pgm_wire_ready(&writer, 'I');
	return pgm_client_send(client, packet, pgm_writer_length(&writer));
}

void pgm_console_adopt(struct pgm_client *client, const char *user)
{
	struct pgm_pooler *pooler = client->worker->pooler;
	const struct pgm_pool_config *config = pooler->config;
	bool admin = pgm_config_in_list(config->admin_users, user) || pgm_console_is_own(client, user);
	if (!admin && !pgm_config_in_list(config->stats_users, user)) {
		pgm_client_end(client, "42501", "not allowed");
		return;
	}
	struct pgm_console_client *console = calloc(1, sizeof(*console));
	client->console = console;
	if (!console || !(console->user = strdup(user)) ||
	    !pgm_cancel_register(pooler, &client->key, 0, false, client->worker->index, client->id)) {
		pgm_client_end(client, "53200", "out of memory");
		return;
	}
	client->has_key = true;
	console->admin = admin;
	if (config->log_connections)
		pgm_log(PGM_LOG_NOTICE, "C-%llu: %s/%s@%s login attempt: db=%s user=%s tls=%s",
			(unsigned long long)client->id, PGM_CONSOLE_NAME, user, client->peer,
			PGM_CONSOLE_NAME, user,
			client->stream.tls ? pgm_tls_version(client->stream.tls) : "no");
	pgm_login_free(client->login);
	client->login = NULL;
	client->state = PGM_CLIENT_CONSOLE;
	if (welcome(client))
		pgm_console_ready(client);
}

/* ---- requests, there and back ---- */

static void free_request(struct pgm_console_request *request)
{
	free(request->answer.bytes);
	free(request);
}

/* On the worker: the answer has come. */
static void deliver_answer(struct pgm_letter *letter, void *owner)
{
	struct pgm_console_request *request = pgm_container_of(letter, struct pgm_console_request, letter);
	struct pgm_worker *worker = owner;
	struct pgm_client *client, *asker = NULL;
	pgm_list_each(&worker->clients, client, struct pgm_client, link) if (client->id == request->client_id)
		asker = client;
	if (asker && asker->state == PGM_CLIENT_CONSOLE) {
		asker->console->waits = false;
		if (request->answer.failed)
			pgm_client_end(asker, "53200", "out of memory");
		else if (pgm_client_send(asker, request->answer.bytes, request->answer.length))
			pgm_console_ready(asker);
	}
	free_request(request);
}

static void post_answer(struct pgm_console_request *request)
{
	request->letter.deliver = deliver_answer;
	pgm_loop_post(&request->worker->loop, &request->letter);
}

/* On the control thread. */
static void deliver_query(struct pgm_letter *letter, void *owner)
{
	struct pgm_console_request *request = pgm_container_of(letter, struct pgm_console_request, letter);
	struct pgm_pooler *pooler = owner;
	struct pgm_console *console = pooler->console;
	if (console->ended) {
		free_request(request);
		return;
	}
	request->since_us = pgm_loop_clock_us();
	if (pgm_console_run(pooler, request)) {
		post_answer(request);
		return;
	}
	request->next = console->waiting;
	console->waiting = request;
	pgm_console_look(pooler, post_answer);
}

static struct pgm_console_request *new_request(struct pgm_client *client, const char *sql, size_t length,
					       void (*deliver)(struct pgm_letter *letter, void *owner))
{
	struct pgm_console_request *request = calloc(1, sizeof(*request) + length + 1);
	if (!request)
		return NULL;
	request->letter.deliver = deliver;
	request->worker = client->worker;
	request->client_id = client->id;
	request->admin = client->console->admin;
	memcpy(request->sql, sql, length);
	return request;
}

/* Takes what waits for that client off the list; NULL: nothing does. */
static struct pgm_console_request *take_waiting(struct pgm_console *console, uint64_t client_id)
{
	for (struct pgm_console_request **at = &console->waiting; *at; at = &(*at)->next)
		if ((*at)->client_id == client_id) {
			struct pgm_console_request *found = *at;
			*at = found->next;
			return found;
		}
	return NULL;
}

static void deliver_cancel(struct pgm_letter *letter, void *owner)
{
	struct pgm_console_request *request = pgm_container_of(letter, struct pgm_console_request, letter);
	struct pgm_pooler *pooler = owner;
	struct pgm_console_request *waiting =
		pooler->console->ended ? NULL : take_waiting(pooler->console, request->client_id);
	if (waiting) {
		pgm_console_give_up(pooler, waiting);
		post_answer(waiting);
	}
	free_request(request);
}

static void deliver_gone(struct pgm_letter *letter, void *owner)
{
	struct pgm_console_request *request = pgm_container_of(letter, struct pgm_console_request, letter);
	struct pgm_pooler *pooler = owner;
	struct pgm_console *console = pooler->console;
	struct pgm_console_request *waiting = take_waiting(console, request->client_id);
	if (waiting)
		free_request(waiting);
	if (!console->ended && console->suspender == request->client_id) {
		pgm_log(PGM_LOG_NOTICE, "admin disappeared when suspended, doing RESUME");
		pgm_console_resume(pooler);
	}
	free_request(request);
}

static void post_note(struct pgm_client *client, void (*deliver)(struct pgm_letter *letter, void *owner))
{
	struct pgm_console_request *request = new_request(client, "", 0, deliver);
	if (request)
		pgm_loop_post(&client->worker->pooler->control, &request->letter);
}

void pgm_console_cancel(struct pgm_client *client)
{
	if (client->console->waits)
		post_note(client, deliver_cancel);
}

void pgm_console_gone(struct pgm_client *client)
{
	if (client->console && client->worker->pooler->console && !client->worker->pooler->console->ended)
		post_note(client, deliver_gone);
}

/* ---- reading ---- */

static bool send_error(struct pgm_client *client, const char *sqlstate, const char *message, bool ready)
{
	uint8_t packet[512];
	struct pgm_writer writer = pgm_writer_over(packet, sizeof(packet));
	pgm_wire_error(&writer, &(struct pgm_wire_error){
					.severity = "ERROR", .sqlstate = sqlstate, .message = message});
	if (ready)
		pgm_wire_ready(&writer, 'I');
	return pgm_client_send(client, packet, pgm_writer_length(&writer));
}

static bool send_ready(struct pgm_client *client)
{
	uint8_t packet[16];
	struct pgm_writer writer = pgm_writer_over(packet, sizeof(packet));
	pgm_wire_ready(&writer, 'I');
	return pgm_client_send(client, packet, pgm_writer_length(&writer));
}

static bool take_query(struct pgm_client *client, const uint8_t *body, size_t length)
{
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	size_t sql_length;
	const char *sql = pgm_cursor_string(&cursor, &sql_length);
	if (cursor.bad || pgm_cursor_left(&cursor))
		return send_error(client, "08P01", "invalid message format", true);
	struct pgm_console_request *request = new_request(client, sql, sql_length, deliver_query);
	if (!request)
		return send_error(client, "53200", "out of memory", true);
	client->console->waits = true;
	client->request_us = client->worker->loop.now_us;
	pgm_loop_post(&client->worker->pooler->control, &request->letter);
	return true;
}

/* False: the client is gone. */
static bool take_message(struct pgm_client *client, uint8_t type, const uint8_t *body, size_t length)
{
	static const char no_extended[] = "extended query protocol not supported by admin console";
	struct pgm_console_client *console = client->console;
	switch (type) {
	case PGM_FE_TERMINATE:
		pgm_client_close(client, "client close request");
		return false;
	case PGM_FE_SYNC:
		console->skipping = false;
		return send_ready(client);
	case PGM_FE_QUERY:
		return console->skipping || take_query(client, body, length);
	case PGM_FE_PARSE:
	case PGM_FE_BIND:
	case PGM_FE_DESCRIBE:
	case PGM_FE_EXECUTE:
	case PGM_FE_CLOSE:
		if (console->skipping)
			return true;
		console->skipping = true;
		return send_error(client, "08P01", no_extended, false);
	case PGM_FE_FUNCTION:
		return console->skipping || send_error(client, "08P01", no_extended, true);
	case PGM_FE_FLUSH:
	case PGM_FE_COPY_DATA:
	case PGM_FE_COPY_DONE:
	case PGM_FE_COPY_FAIL:
		return true;
	default:
		pgm_client_end(client, "08P01", "unsupported packet type for admin console: %d", type);
		return false;
	}
}

static void take_messages(struct pgm_client *client)
{
	struct pgm_console_client *console = client->console;
	size_t at = 0;
	while (!console->waits && console->length - at >= PGM_WIRE_HEADER_BYTES) {
		size_t length = pgm_wire_get32(console->input + at + 1);
		if (length < 4 || length > PGM_CONSOLE_INPUT_MAX) {
			pgm_client_end(client, "08P01", "invalid message length");
			return;
		}
		if (console->length - at < length + 1)
			break;
		if (!take_message(client, console->input[at], console->input + at + PGM_WIRE_HEADER_BYTES,
				  length - 4))
			return;
		at += length + 1;
	}
	console->length -= at;
	memmove(console->input, console->input + at, console->length);
}

static bool make_room(struct pgm_console_client *console)
{
	if (console->capacity - console->length >= 512)
		return true;
	size_t wanted = console->capacity ? console->capacity * 2 : 1024;
	uint8_t *grown = realloc(console->input, wanted);
	if (!grown)
		return false;
	console->input = grown;
	console->capacity = wanted;
	return true;
}

void pgm_console_ready(struct pgm_client *client)
{
	struct pgm_console_client *console = client->console;
	if (console->length)
		take_messages(client);
	/* a message is at most PGM_CONSOLE_INPUT_MAX long, so that what is read ahead is bounded, too */
	while (client->state == PGM_CLIENT_CONSOLE && !console->waits) {
		if (!make_room(console)) {
			pgm_client_end(client, "53200", "out of memory");
			return;
		}
		size_t got;
		enum pgm_stream_result result =
			pgm_stream_read(&client->stream, console->input + console->length,
					console->capacity - console->length, &got);
		if (result == PGM_STREAM_WAIT)
			return;
		if (result == PGM_STREAM_END) {
			pgm_client_close(client, "client unexpected eof");
			return;
		}
		console->length += got;
		take_messages(client);
	}
	if (client->state == PGM_CLIENT_CONSOLE && client->stream.hangup)
		pgm_client_close(client, "client unexpected eof");
}

/* ---- the control thread ---- */

bool pgm_console_start(struct pgm_pooler *pooler, struct pgm_error *err)
{
	struct pgm_console *console = calloc(1, sizeof(*console));
	if (!console)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	console->pooler = pooler;
	console->period_begin_us = console->period_last_us = console->saved_us = pgm_loop_clock_us();
	pooler->console = console;
	return true;
}

void pgm_console_tick(struct pgm_pooler *pooler)
{
	pthread_mutex_lock(&pooler->admin_lock);
	pgm_console_look(pooler, post_answer);
	pgm_console_stats_tick(pooler);
	pgm_console_save_tick(pooler, false);
	pthread_mutex_unlock(&pooler->admin_lock);
}

void pgm_console_end(struct pgm_pooler *pooler)
{
	struct pgm_console *console = pooler->console;
	pgm_console_save_tick(pooler, true);
	console->ended = true;
	/* what workers posted and nobody has read */
	pooler->control.wake.ready(&pooler->control.wake, EPOLLIN);
	while (console->waiting) {
		struct pgm_console_request *request = console->waiting;
		console->waiting = request->next;
		free_request(request);
	}
	free(console->periods);
}
