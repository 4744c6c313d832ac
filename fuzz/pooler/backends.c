#include "backends.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS_MAX 4000 /* more is a loop that never ends */

bool backends_begin_muted;
struct backend backends[BACKENDS_MAX];
struct client clients[CLIENTS_MAX];
static uint32_t next_pid;
static int askers[16]; /* connections that asked for a cancel */
static size_t asker_count;

/* ---- clients ---- */

void client_open(struct client *client, unsigned start)
{
	static const struct {
		enum model_setting setting;
		const char *name, *given, *value;
	} starts[] = {{0, NULL, NULL, ""},
		      {MODEL_APPLICATION_NAME, "application_name", "a", "a"},
		      {MODEL_TENANT, "options", "-c app.t=1", "1"},
		      {MODEL_WORK_MEM, "work_mem", "2", "2"}};
	uint8_t packet[256];
	struct pgm_writer writer = pgm_writer_over(packet, sizeof(packet));
	*client = (struct client){.fd = -1};
	client->fd = harness_connect(&client->id);
	model_init(&client->alone, false, true, 0);
	start %= sizeof(starts) / sizeof(*starts);
	snprintf(client->alone.session.settings[starts[start].setting], MODEL_VALUE, "%s",
		 starts[start].value);
	snprintf(client->alone.reported, MODEL_VALUE, "%s",
		 client->alone.session.settings[MODEL_APPLICATION_NAME]);
	client->alone.saved = client->alone.session;
	client->alone.has_start = start;
	pgm_writer_begin(&writer, 0);
	pgm_writer_u32(&writer, PGM_WIRE_PROTOCOL_3_0);
	pgm_writer_string(&writer, "user");
	pgm_writer_string(&writer, "u");
	pgm_writer_string(&writer, "database");
	pgm_writer_string(&writer, "d");
	if (starts[start].name) {
		pgm_writer_string(&writer, starts[start].name);
		pgm_writer_string(&writer, starts[start].given);
	}
	pgm_writer_u8(&writer, 0);
	pgm_writer_end(&writer);
	harness_append(&client->out, packet, pgm_writer_length(&writer));
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	harness_free(&client->out);
	harness_free(&client->got);
	model_done(&client->alone);
}

void client_say(struct client *client, const void *bytes, size_t length)
{
	if (client->fd < 0)
		return;
	harness_append(&client->out, bytes, length);
	if (!client->alone.closed)
		harness_append(&client->alone.in, bytes, length);
	model_run(&client->alone);
	model_show_all(&client->alone);
}

void client_message(struct client *client, char type, const void *body, size_t length)
{
	uint8_t header[PGM_WIRE_HEADER_BYTES] = {(uint8_t)type};
	pgm_wire_put32(header + 1, (uint32_t)length + 4);
	client_say(client, header, sizeof(header));
	client_say(client, body, length);
}

/* The begin of the message after at; false: there is not even its header. */
static bool next_message(const struct harness_bytes *bytes, size_t at, size_t *next)
{
	if (bytes->length - at < PGM_WIRE_HEADER_BYTES)
		return false;
	*next = at + pgm_wire_get32(bytes->at + at + 1) + 1;
	return true;
}

/* What came after the login; the key that it was told goes to *key. */
static size_t skip_login(const struct client *client, const uint8_t **key)
{
	size_t at = 0, next;
	while (next_message(&client->got, at, &next) && next <= client->got.length) {
		uint8_t type = client->got.at[at];
		if (type == PGM_BE_ERROR)
			return at;
		if (type == PGM_BE_BACKEND_KEY && next - at == 13)
			*key = client->got.at + at + PGM_WIRE_HEADER_BYTES;
		at = next;
		if (type == PGM_BE_READY)
			return at;
	}
	return client->got.length;
}

void client_cancel(struct client *client)
{
	const uint8_t *key = NULL;
	uint64_t id;
	uint8_t packet[16];
	skip_login(client, &key);
	if (client->fd < 0 || !key || asker_count == sizeof(askers) / sizeof(*askers))
		return;
	client->cancelled = true;
	pgm_wire_put32(packet, sizeof(packet));
	pgm_wire_put32(packet + 4, PGM_WIRE_CODE_CANCEL);
	memcpy(packet + 8, key, 8);
	askers[asker_count] = harness_connect(&id);
	if (send(askers[asker_count++], packet, sizeof(packet), MSG_NOSIGNAL) != sizeof(packet) && id)
		abort();
}

static bool read_error(const struct harness_bytes *bytes, size_t at, size_t *next,
		       struct pgm_wire_error *error)
{
	return next_message(bytes, at, next) && *next <= bytes->length && bytes->at[at] == PGM_BE_ERROR &&
	       pgm_wire_read_error(bytes->at + at + PGM_WIRE_HEADER_BYTES, *next - at - PGM_WIRE_HEADER_BYTES,
				   error);
}

static bool is_fatal(const struct harness_bytes *bytes, size_t at)
{
	size_t next;
	struct pgm_wire_error error;
	return read_error(bytes, at, &next, &error) && strcmp(error.severity, "FATAL") == 0;
}

static bool is_one_of(const char *sqlstate, const char *list)
{
	return strstr(list, sqlstate) != NULL;
}

/*
 * An error that says the same in other words: of two names that a client gave to one text it may be the
 * other; in a failed transaction a Parse of a name that is taken is refused before its own text is looked at;
 * and a portal of DEALLOCATE that runs again, which the server has not seen run, finds no statement.
 */
static bool is_like(const struct harness_bytes *got, size_t at, const struct harness_bytes *expected,
		    size_t *told)
{
	size_t next, told_next;
	struct pgm_wire_error one, other;
	if (!read_error(got, at, &next, &one) || !read_error(expected, *told, &told_next, &other) ||
	    strcmp(one.severity, other.severity) != 0)
		return false;
	bool names = strcmp(one.sqlstate, other.sqlstate) == 0 && is_one_of(one.sqlstate, "42P05 26000");
	bool again = is_one_of(one.sqlstate, "26000") && is_one_of(other.sqlstate, "55000");
	if (!names && !again &&
	    !(is_one_of(one.sqlstate, "25P02") && is_one_of(other.sqlstate, "42P05 42601 08P01")))
		return false;
	*told = told_next;
	return true;
}

/*
 * A Parse that follows at once what fails its transaction is answered by the pooler, where the server has the
 * text already; what is done with it fails. From here on the two know different names.
 */
static bool is_late_failure(const struct harness_bytes *got, size_t at, const struct harness_bytes *expected,
			    size_t told)
{
	size_t next;
	struct pgm_wire_error error;
	return got->at[at] == PGM_BE_PARSE_COMPLETE && read_error(expected, told, &next, &error) &&
	       strcmp(error.sqlstate, "25P02") == 0;
}

/*
 * Describe, in a failed transaction, of a statement that makes no rows: the server may have had to close it,
 * and prepares nothing now.
 */
static bool is_early_failure(const struct harness_bytes *got, size_t at, const struct harness_bytes *expected,
			     size_t told)
{
	size_t next;
	struct pgm_wire_error error;
	return told < expected->length && expected->at[told] == PGM_BE_PARAMETER_DESCRIPTION &&
	       read_error(got, at, &next, &error) && strcmp(error.sqlstate, "25P02") == 0;
}

static void show(const char *who, const struct harness_bytes *bytes, size_t at)
{
	fprintf(stderr, "%s, %zu bytes, around %zu:", who, bytes->length, at);
	for (size_t i = at < 80 ? 0 : at - 80; i < bytes->length && i < at + 160; i++) {
		if (i == at)
			fputs(" --> ", stderr);
		if (bytes->at[i] >= ' ' && bytes->at[i] < 0x7f)
			fputc(bytes->at[i], stderr);
		else
			fprintf(stderr, "\\%02x", bytes->at[i]);
	}
	fputc('\n', stderr);
}

bool client_check(const struct client *client, bool fatal_allowed)
{
	const struct harness_bytes *got = &client->got, *expected = &client->alone.out;
	const uint8_t *key;
	size_t at = skip_login(client, &key), next, told = 0;
	if (client->cancelled || client->alone.reset_start)
		return true;
	/* what PostgreSQL says last of all, it says only to who can still hear it */
	bool breaks = fatal_allowed || client->excused || client->alone.closed;
	for (; next_message(got, at, &next); at = next) {
		size_t length = next < got->length ? next - at : got->length - at;
		if (got->at[at] == PGM_BE_NOTICE && next <= got->length)
			continue; /* that it has to wait */
		if (length <= expected->length - told &&
		    memcmp(got->at + at, expected->at + told, length) == 0) {
			told += length;
			if (next > got->length)
				return false;
			continue;
		}
		/* another server, that lied, may have been the one that its login was told from */
		if (breaks && got->at[at] == PGM_BE_PARAMETER_STATUS && next <= got->length)
			continue;
		if (is_like(got, at, expected, &told))
			continue;
		if ((breaks && is_fatal(got, at)) || is_late_failure(got, at, expected, told) ||
		    is_early_failure(got, at, expected, told))
			return true;
		show("the client got", got, at);
		show("a server alone", expected, told);
		abort();
	}
	return told >= client->alone.flushed;
}

/* ---- servers ---- */

void backends_init(void)
{
	next_pid = 1000;
	backends_begin_muted = false;
	asker_count = 0;
	for (size_t i = 0; i < BACKENDS_MAX; i++)
		backends[i].fd = -1;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		clients[i] = (struct client){.fd = -1};
}

struct backend *backend_at(unsigned number)
{
	struct backend *open[BACKENDS_MAX];
	unsigned count = 0;
	for (size_t i = 0; i < BACKENDS_MAX; i++)
		if (backends[i].fd >= 0)
			open[count++] = &backends[i];
	return count ? open[number % count] : NULL;
}

void backend_close(struct backend *backend)
{
	bool doubted = backend->model.doubted;
	close(backend->fd);
	backend->fd = -1;
	harness_free(&backend->extra);
	model_done(&backend->model);
	backend->model.doubted = doubted; /* for note_misled() */
}

static bool accept_backend(void)
{
	int fd = harness_accept();
	if (fd < 0)
		return false;
	size_t i = 0;
	while (i < BACKENDS_MAX && backends[i].fd >= 0)
		i++;
	if (i == BACKENDS_MAX) {
		close(fd);
		return true;
	}
	backends[i].fd = fd;
	model_init(&backends[i].model, true, false, next_pid++);
	backends[i].muted = backends[i].model.doubted = backends_begin_muted;
	backends[i].trickle = 0;
	return true;
}

/* A connection that only brings a cancel request. It may only be for what its client runs. */
static bool take_cancel(struct backend *backend)
{
	struct harness_bytes *in = &backend->model.in;
	if (backend->model.started || in->length < 16 || pgm_wire_get32(in->at + 4) != PGM_WIRE_CODE_CANCEL)
		return false;
	for (size_t i = 0; i < BACKENDS_MAX; i++) {
		struct model *model = &backends[i].model;
		if (backends[i].fd < 0 || !model->started || model->pid != pgm_wire_get32(in->at + 8))
			continue;
		assert(pgm_wire_get32(in->at + 12) == model->secret);
		const struct pgm_server *server = harness_server(model->pid);
		for (size_t c = 0; c < CLIENTS_MAX; c++)
			assert(!server || !server->client || clients[c].id != server->client->id ||
			       clients[c].cancelled);
		model->cancel = model->in.length > 0;
	}
	backend_close(backend);
	return true;
}

/* Writes what the other side takes; where it is to trickle, only so much, but what is long in a few hundred
 * turns. */
static bool write_some(int fd, struct harness_bytes *out, size_t trickle, bool *moved)
{
	size_t most = trickle + out->length / 64;
	if (!trickle || out->length <= most)
		return harness_write(fd, out, moved);
	struct harness_bytes some = {0};
	harness_append(&some, out->at, most);
	bool open = harness_write(fd, &some, moved);
	harness_remove(out, most - some.length);
	harness_free(&some);
	return open;
}

static bool turn_backend(struct backend *backend)
{
	bool moved = false, open = true;
	struct model *model = &backend->model;
	if (!model->holds_back)
		open = harness_read(backend->fd, &model->in, &moved);
	if (take_cancel(backend))
		return true;
	if (model_run(model))
		moved = true;
	if (!model->in.length)
		model->cancel = false;
	if (backend->muted)
		model->out.length = 0;
	if (!harness_write(backend->fd, &backend->extra, &moved) ||
	    (!backend->extra.length && !write_some(backend->fd, &model->out, backend->trickle, &moved)))
		open = false;
	if (!open || (model->closed && !model->out.length)) {
		backend_close(backend);
		return true;
	}
	return moved;
}

/* ---- all together ---- */

static bool turn_client(struct client *client)
{
	bool moved = false;
	if (client->ended)
		return false;
	if (!write_some(client->fd, &client->out, client->trickle, &moved))
		client->out.length = 0;
	if (!client->stalled && !harness_read(client->fd, &client->got, &moved))
		client->ended = moved = true;
	return moved;
}

/* Whose server one that lied is, or may have been. */
static void note_misled(void)
{
	for (size_t i = 0; i < BACKENDS_MAX; i++) {
		if (!backends[i].model.doubted)
			continue;
		const struct pgm_server *server =
			backends[i].fd < 0 ? NULL : harness_server(backends[i].model.pid);
		for (size_t c = 0; c < CLIENTS_MAX; c++)
			clients[c].misled |=
				!server || (server->client && server->client->id == clients[c].id);
		backends[i].model.doubted = backends[i].fd >= 0;
	}
}

bool turn(void)
{
	bool moved = false;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (clients[i].fd >= 0)
			moved |= turn_client(&clients[i]);
	moved |= harness_round();
	while (accept_backend())
		moved = true;
	for (size_t i = 0; i < BACKENDS_MAX; i++)
		if (backends[i].fd >= 0)
			moved |= turn_backend(&backends[i]);
	note_misled();
	return moved;
}

void settle(void)
{
	int turns = 0;
	while (turn())
		if (++turns > TURNS_MAX) {
			fprintf(stderr, "it never comes to rest\n");
			abort();
		}
}

void backends_done(void)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		client_close(&clients[i]);
	for (size_t i = 0; i < asker_count; i++)
		close(askers[i]);
	for (size_t i = 0; i < BACKENDS_MAX; i++)
		if (backends[i].fd >= 0)
			backend_close(&backends[i]);
}
