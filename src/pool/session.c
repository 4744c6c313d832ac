#include "pool/session.h"

#include "pool/relay.h"
#include "wire/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PAIRS_MAX	   512
#define SETTINGS_BYTES_MAX ((size_t)256 << 10) /* more than this is not carried from server to server */
#define PROBE_TRIES	   3

/* What the probe has found so far. */
struct pgm_probe {
	struct pgm_pair pairs[PAIRS_MAX];
	size_t count;
	unsigned pins;
	bool overflow;
};

/* A growing text for our own statements; at most a few hundred settings, so its size is bounded by theirs. */
struct text {
	char *bytes;
	size_t length, capacity;
	bool failed;
};

static void add_n(struct text *text, const char *more, size_t length)
{
	if (text->failed)
		return;
	if (text->length + length + 1 > text->capacity) {
		size_t wanted = (text->length + length + 1) * 2 + 256;
		char *grown = realloc(text->bytes, wanted);
		if (!grown) {
			text->failed = true;
			return;
		}
		text->bytes = grown;
		text->capacity = wanted;
	}
	memcpy(text->bytes + text->length, more, length);
	text->length += length;
	text->bytes[text->length] = '\0';
}

static void add(struct text *text, const char *more)
{
	add_n(text, more, strlen(more));
}

/* "app"."tenant": each part of a setting's name quoted. */
static void add_name(struct text *text, const char *name)
{
	add(text, "\"");
	for (; *name; name++) {
		if (*name == '.')
			add(text, "\".\"");
		else if (*name == '"')
			add(text, "\"\"");
		else
			add_n(text, name, 1);
	}
	add(text, "\"");
}

/* Plain ASCII without backslash reads the same under every setting. */
static bool is_plain(const char *value)
{
	bool plain = true;
	for (; *value; value++)
		plain &= (unsigned char)*value < 0x80 && *value != '\\';
	return plain;
}

/* All else goes as bytes of its encoding. */
static void add_value(struct text *text, const char *value, const char *encoding)
{
	if (is_plain(value)) {
		add(text, "'");
		for (const char *c = value; *c; c++)
			add_n(text, *c == '\'' ? "''" : c, *c == '\'' ? 2 : 1);
		add(text, "'");
		return;
	}
	char hex[3];
	add(text, "pg_catalog.convert_from(pg_catalog.decode('");
	for (const char *c = value; *c; c++) {
		snprintf(hex, sizeof(hex), "%02x", (unsigned char)*c);
		add(text, hex);
	}
	add(text, "', 'hex'), ");
	add_value(text, encoding, "");
	add(text, ")");
}

static bool is_identity(const char *name)
{
	return strcasecmp(name, "role") == 0 || strcasecmp(name, "session_authorization") == 0;
}

/* What drivers send at startup. SET costs the server less than a SELECT, and takes these as set_config()
 * does. */
static bool is_plain_setting(const struct pgm_pair *pair)
{
	static const char *const names[] = {"application_name", "client_encoding", "DateStyle",
					    "IntervalStyle",	"TimeZone",	   "extra_float_digits",
					    "lock_timeout"};
	bool known = false;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		known |= strcasecmp(pair->name, names[i]) == 0;
	return known && is_plain(pair->value);
}

static void add_set(struct text *text, const struct pgm_pair *pair, const char *encoding)
{
	if (is_plain_setting(pair)) {
		add(text, "SET ");
		add_name(text, pair->name);
		add(text, " = ");
		add_value(text, pair->value, encoding);
		add(text, ";");
		return;
	}
	add(text, "SELECT pg_catalog.set_config(");
	add_value(text, pair->name, encoding);
	add(text, ", ");
	add_value(text, pair->value, encoding);
	add(text, ", false);");
}

/*
 * From one set of settings to another, as one simple query: so as one transaction. Identities go first and
 * come last, since what one role set another may not be allowed to.
 */
static void add_difference(struct text *text, const struct pgm_pairs *from, const struct pgm_pairs *to,
			   const char *encoding)
{
	/* it holds for each of these statements: the old one no longer, the new one from the end on */
	static const char timeout[] = "statement_timeout";
	const char *old_timeout = pgm_pairs_get(from, timeout), *new_timeout = pgm_pairs_get(to, timeout);
	encoding = pgm_pairs_get(to, "client_encoding") ? pgm_pairs_get(to, "client_encoding") : encoding;
	bool identity = pgm_pairs_get(from, "role") || pgm_pairs_get(from, "session_authorization");
	add(text, "/* pgmend */ ");
	if (old_timeout)
		add(text, "SET statement_timeout = 0;");
	if (pgm_pairs_get(from, "role"))
		add(text, "RESET ROLE;");
	if (pgm_pairs_get(from, "session_authorization"))
		add(text, "RESET SESSION AUTHORIZATION;");
	for (size_t i = 0; i < pgm_pairs_count(from); i++) {
		const struct pgm_pair *pair = pgm_pairs_at(from, i);
		if (is_identity(pair->name) || pgm_pairs_get(to, pair->name) ||
		    strcasecmp(pair->name, timeout) == 0)
			continue;
		add(text, "RESET ");
		add_name(text, pair->name);
		add(text, ";");
	}
	for (size_t i = 0; i < pgm_pairs_count(to); i++) {
		const struct pgm_pair *pair = pgm_pairs_at(to, i);
		const char *now = pgm_pairs_get(from, pair->name);
		if (!is_identity(pair->name) && strcasecmp(pair->name, timeout) != 0 &&
		    !(now && strcmp(now, pair->value) == 0))
			add_set(text, pair, encoding);
	}
	static const char *const identities[] = {"session_authorization", "role"};
	for (size_t i = 0; i < 2; i++) {
		const char *value = pgm_pairs_get(to, identities[i]);
		if (value && (identity || !pgm_pairs_get(from, identities[i])))
			add_set(text, &(struct pgm_pair){identities[i], value}, encoding);
	}
	if (new_timeout)
		add_set(text, &(struct pgm_pair){timeout, new_timeout}, encoding);
	else if (old_timeout)
		add(text, "RESET statement_timeout;");
}

#define C "OPERATOR(pg_catalog.=)"
static const char probe_head[] =
	"/* pgmend */ SELECT 'g'::pg_catalog.text, s.name, s.setting FROM pg_catalog.pg_settings AS s"
	" WHERE s.source " C " 'session' AND s.name OPERATOR(pg_catalog.<>)"
	" ALL "
	"('{transaction_isolation,transaction_read_only,transaction_deferrable,is_superuser}'::pg_catalog."
	"text[])"
	" UNION ALL SELECT 'g', 'role', pg_catalog.current_setting('role')"
	" WHERE pg_catalog.current_setting('role') OPERATOR(pg_catalog.<>) 'none'"
	" UNION ALL SELECT 'g', 'session_authorization', SESSION_USER::pg_catalog.text"
	" WHERE SESSION_USER::pg_catalog.text OPERATOR(pg_catalog.<>) ";
static const char probe_tail[] =
	" UNION ALL SELECT 'l', '', '' WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_listening_channels())"
	" UNION ALL SELECT 't', '', '' WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_class AS c"
	" WHERE c.relnamespace " C " pg_catalog.pg_my_temp_schema())"
	" OR EXISTS (SELECT 1 FROM pg_catalog.pg_proc AS p"
	" WHERE p.pronamespace " C " pg_catalog.pg_my_temp_schema())"
	" OR EXISTS (SELECT 1 FROM pg_catalog.pg_type AS y"
	" WHERE y.typnamespace " C " pg_catalog.pg_my_temp_schema())"
	" UNION ALL SELECT 'p', '', '' WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_prepared_statements AS p"
	" WHERE p.from_sql)"
	" UNION ALL SELECT 'k', '', '' WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_locks AS l"
	" WHERE l.locktype " C " 'advisory' AND l.pid " C " pg_catalog.pg_backend_pid())"
	" UNION ALL SELECT 'h', '', '' WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_cursors AS c WHERE "
	"c.is_holdable)";
#undef C

/* A setting with a dot in its name is not in pg_settings unless a library defines it. */
static void add_custom(struct text *text, const char *name)
{
	add(text, " UNION ALL SELECT 'g', ");
	add_value(text, name, "UTF8");
	add(text, ", v FROM pg_catalog.current_setting(");
	add_value(text, name, "UTF8");
	add(text, ", true) AS v WHERE v IS NOT NULL");
}

static bool is_custom(const struct pgm_client *client, const char *name)
{
	for (const char *known = client->custom_settings; known && *known; known += strlen(known) + 1)
		if (strcasecmp(known, name) == 0)
			return true;
	return false;
}

static void add_probe(struct text *text, const struct pgm_server *server, const struct pgm_client *client)
{
	add(text, probe_head);
	add_value(text, pgm_server_user(server), "UTF8");
	for (const char *name = client->custom_settings; name && *name; name += strlen(name) + 1)
		add_custom(text, name);
	/* and those of its startup packet, and what else was applied */
	for (size_t i = 0; i < pgm_pairs_count(server->applied); i++) {
		const char *name = pgm_pairs_at(server->applied, i)->name;
		if (strchr(name, '.') && !is_custom(client, name))
			add_custom(text, name);
	}
	add(text, probe_tail);
}

bool pgm_job_start(struct pgm_server *server, enum pgm_job job, const char *sql)
{
	size_t length = strlen(sql) + 1 + 4;
	uint8_t header[PGM_WIRE_HEADER_BYTES] = {PGM_FE_QUERY};
	struct iovec iov[2] = {{header, sizeof(header)}, {(void *)(uintptr_t)sql, strlen(sql) + 1}};
	pgm_wire_put32(header + 1, (uint32_t)length);
	server->job = job;
	server->job_failed = false;
	server->unnamed = 0;
	server->job_started_us = server->share->worker->loop.now_us;
	if (!pgm_server_expect(server, PGM_EXPECT_JOB, PGM_EXPECT_HIDDEN) ||
	    !pgm_stream_writev(&server->stream, iov, 2)) {
		pgm_server_lost(server, "server closed the connection unexpectedly");
		return false;
	}
	return true;
}

static void job_text(struct pgm_server *server, enum pgm_job job, struct text *text)
{
	if (text->failed)
		pgm_server_lost(server, "out of memory");
	else
		pgm_job_start(server, job, text->bytes);
	free(text->bytes);
}

/* Takes both over. */
static void note_setting(struct pgm_probe *probe, char *name, char *value)
{
	if (name && value) {
		probe->pairs[probe->count++] = (struct pgm_pair){name, value};
		return;
	}
	free(name);
	free(value);
	probe->overflow = true;
}

static void note_probe_row(struct pgm_probe *probe, const uint8_t *body, size_t length)
{
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	const char *cells[3];
	size_t lengths[3];
	if (pgm_cursor_u16(&cursor) != 3)
		cursor.bad = true;
	for (int i = 0; i < 3; i++) {
		uint32_t size = pgm_cursor_u32(&cursor);
		lengths[i] = size == PGM_WIRE_NO_PARAMETER ? 0 : size;
		cells[i] = (const char *)pgm_cursor_bytes(&cursor, lengths[i]);
	}
	if (cursor.bad || lengths[0] != 1) { /* a value so long that its row was cut */
		probe->overflow = true;
		return;
	}
	switch (cells[0][0]) {
	case 'l':
		probe->pins |= PGM_PIN_LISTEN;
		break;
	case 't':
		probe->pins |= PGM_PIN_TEMP;
		break;
	case 'p':
		probe->pins |= PGM_PIN_PREPARED;
		break;
	case 'k':
		probe->pins |= PGM_PIN_LOCK;
		break;
	case 'h':
		probe->pins |= PGM_PIN_CURSOR;
		break;
	case 'g':
		if (probe->count == PAIRS_MAX) {
			probe->overflow = true;
			break;
		}
		note_setting(probe, strndup(cells[1], lengths[1]), strndup(cells[2], lengths[2]));
		break;
	default:
		break;
	}
}

static void free_probe(struct pgm_server *server)
{
	struct pgm_probe *probe = server->probe;
	server->probe = NULL;
	if (!probe)
		return;
	for (size_t i = 0; i < probe->count; i++) {
		free((char *)(uintptr_t)probe->pairs[i].name);
		free((char *)(uintptr_t)probe->pairs[i].value);
	}
	free(probe);
}

void pgm_session_forget(struct pgm_server *server)
{
	free_probe(server);
}

void pgm_job_message(struct pgm_server *server, char type, const uint8_t *body, size_t length)
{
	if (type == PGM_BE_ERROR) {
		struct pgm_wire_error error;
		bool read = pgm_wire_read_error(body, length, &error);
		server->job_failed = true;
		snprintf(server->job_sqlstate, sizeof(server->job_sqlstate), "%s",
			 read ? error.sqlstate : "");
		snprintf(server->job_message, sizeof(server->job_message), "%s", read ? error.message : "");
	} else if (type == PGM_BE_DATA_ROW && server->probe) {
		note_probe_row(server->probe, body, length);
	}
}

static size_t probe_bytes(const struct pgm_probe *probe)
{
	size_t length = 0;
	for (size_t i = 0; i < probe->count; i++)
		length += strlen(probe->pairs[i].name) + strlen(probe->pairs[i].value);
	return length;
}

/* The client's settings are those that the probe found, and of its startup packet's those that it reset. */
static bool take_settings(struct pgm_server *server, struct pgm_client *client)
{
	const struct pgm_probe *probe = server->probe;
	struct pgm_pair all[PAIRS_MAX * 2];
	size_t count = 0;
	if (server->job_failed || !probe || probe->overflow || probe_bytes(probe) > SETTINGS_BYTES_MAX ||
	    !pgm_pairs_change(&server->applied, pgm_pairs_of(probe->pairs, probe->count)))
		return false;
	for (size_t i = 0; i < pgm_pairs_count(client->base) && count < PAIRS_MAX; i++)
		all[count++] = *pgm_pairs_at(client->base, i);
	for (size_t i = 0; i < probe->count; i++)
		all[count++] = probe->pairs[i];
	return pgm_client_set_settings(client, pgm_pairs_of(all, count));
}

static void take_probe(struct pgm_server *server, struct pgm_client *client)
{
	if (!take_settings(server, client)) {
		/* We cannot know what the session holds, so nobody else may have it. */
		client->pins |= PGM_PIN_SETTING;
		server->close_soon = true;
		return;
	}
	unsigned kept = client->pins & (PGM_PIN_SESSION | PGM_PIN_SETTING | PGM_PIN_SEQUENCE);
	client->pins = kept | server->probe->pins;
}

static void start_probe(struct pgm_server *server, struct pgm_client *client)
{
	struct text text = {0};
	server->probe = calloc(1, sizeof(*server->probe));
	if (!server->probe) {
		pgm_server_lost(server, "out of memory");
		return;
	}
	server->share->stats.probes++;
	server->touched = 0;
	add_probe(&text, server, client);
	job_text(server, PGM_JOB_PROBE, &text);
}

static void release_or_stay(struct pgm_server *server, struct pgm_client *client)
{
	if (client->pins == 0) {
		pgm_server_release(server);
		return;
	}
	client->state = PGM_CLIENT_LINKED;
	client->idle_since_us = server->share->worker->loop.now_us;
	if (!client->pinned_us)
		client->pinned_us = client->idle_since_us;
	if (server->applied != client->settings && !server->close_soon)
		pgm_session_prepare(server); /* it has reset what its startup packet had set */
	else
		pgm_client_run(client);
}

static void forget_sequences(struct pgm_server *server)
{
	server->sequence_client = 0;
	server->sequences_mixed = false;
}

bool pgm_session_discard_sequences(struct pgm_client *client)
{
	/* Parse, Bind, Execute, Close of the statement, under a name that no client can have */
	static const uint8_t messages[] = "P\0\0\0\34"
					  "PGM\0"
					  "DISCARD SEQUENCES\0"
					  "\0\0"
					  "B\0\0\0\22"
					  "PGM\0"
					  "PGM\0"
					  "\0\0\0\0\0\0"
					  "E\0\0\0\14"
					  "PGM\0"
					  "\0\0\0\0"
					  "C\0\0\0\11"
					  "PPGM\0"
					  "C\0\0\0\11"
					  "SPGM";
	static const enum pgm_expect_kind kinds[] = {PGM_EXPECT_PARSE, PGM_EXPECT_BIND, PGM_EXPECT_EXECUTE,
						     PGM_EXPECT_CLOSE, PGM_EXPECT_CLOSE};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!pgm_server_expect(client->server, kinds[i], PGM_EXPECT_HIDDEN | PGM_EXPECT_PROXY)) {
			client->server->close_soon = true;
			return false;
		}
	pgm_relay_raw(client, messages, sizeof(messages));
	forget_sequences(client->server);
	return true;
}

void pgm_session_discarded(struct pgm_server *server)
{
	server->discarded = true;
	forget_sequences(server);
}

void pgm_session_wrote_sequences(struct pgm_server *server, const struct pgm_client *client)
{
	server->sequences_mixed |= server->sequence_client && server->sequence_client != client->id;
	server->sequence_client = client->id;
}

bool pgm_session_has_own_sequences(const struct pgm_server *server, const struct pgm_client *client)
{
	return !server->sequence_client ||
	       (server->sequence_client == client->id && !server->sequences_mixed);
}

void pgm_session_transaction_end(struct pgm_server *server)
{
	struct pgm_client *client = server->client;
	uint64_t now = server->share->worker->loop.now_us;
	uint32_t touched = server->touched;
	if (client->transaction_us) {
		struct pgm_pool_stats *stats = &server->share->stats;
		stats->transactions++;
		stats->transaction_us += now - client->transaction_us;
		if (server->share->worker->profile)
			pgm_profile_transaction(server->share->worker->profile,
						server->share->pool->database->name, client->user->name,
						now - client->transaction_us, client->idle_in_transaction_us);
		client->transaction_us = 0;
		client->idle_in_transaction_us = 0;
	}
	client->bound_flags = 0;
	client->portal = NULL;
	client->idle_since_us = now;
	if (client->pins & PGM_PIN_SESSION) {
		if (touched & PGM_SCAN_SETS)
			start_probe(server, client);
		else
			pgm_client_run(client);
		return;
	}
	if (touched & PGM_SCAN_SEQUENCE_WRITE) {
		pgm_session_wrote_sequences(server, client);
		if (client->reads_sequences)
			client->pins |= PGM_PIN_SEQUENCE;
	}
	if (server->discarded)
		client->pins &= ~(unsigned)(PGM_PIN_SETTING |
					    (touched & PGM_SCAN_SEQUENCE_WRITE ? 0 : PGM_PIN_SEQUENCE));
	server->discarded = false;
	if (touched & PGM_SCAN_CUSTOM_SETTING)
		client->pins |= PGM_PIN_SETTING;
	/* DROP may have taken the last temporary object. */
	bool unpins = client->pins & PGM_PIN_TEMP && touched & PGM_SCAN_DDL;
	if (touched & PGM_SCAN_STATE || unpins)
		start_probe(server, client);
	else {
		server->touched = 0;
		release_or_stay(server, client);
	}
}

/* What the client was told of its settings may differ from what the server has now. */
static void tell_reports(struct pgm_server *server, struct pgm_client *client)
{
	if (!client->reports || client->reports == server->reports)
		return;
	for (size_t i = 0; i < pgm_pairs_count(server->reports); i++) {
		const struct pgm_pair *pair = pgm_pairs_at(server->reports, i);
		const char *told = pgm_pairs_get(client->reports, pair->name);
		if (told && strcmp(told, pair->value) == 0)
			continue;
		size_t size = strlen(pair->name) + strlen(pair->value) + 16;
		uint8_t *message = malloc(size);
		struct pgm_writer writer = pgm_writer_over(message, message ? size : 0);
		pgm_wire_parameter_status(&writer, pair->name, pair->value);
		if (!message) {
			pgm_client_end(client, "53200", "out of memory");
			return;
		}
		pgm_client_send(client, message, pgm_writer_length(&writer));
		free(message);
	}
	pgm_pairs_put(&client->reports, pgm_pairs_hold(server->reports));
	const char *standard = pgm_pairs_get(server->reports, "standard_conforming_strings");
	client->standard_strings = !standard || strcmp(standard, "off") != 0;
}

/* Without DEALLOCATE, so that what the pooler prepared stays; in one query, so that it is one transaction. */
static const char strict_reset[] = "/* pgmend */ CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL;"
				   " UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP;"
				   " DISCARD SEQUENCES";

/* Of a server where nobody asks for another: the one that it has now may be who had it before's. */
static void read_encoding(struct pgm_pool *pool, char *encoding, size_t size)
{
	pthread_mutex_lock(&pool->lock);
	const char *found = pool->reports ? pgm_pairs_get(pool->reports, "client_encoding") : NULL;
	snprintf(encoding, size, "%s", found ? found : "UTF8");
	pthread_mutex_unlock(&pool->lock);
}

void pgm_session_prepare(struct pgm_server *server)
{
	struct pgm_client *client = server->client;
	struct pgm_pooler *pooler = server->share->worker->pooler;
	const struct pgm_pool_config *config = pooler->config;
	uint64_t now = server->share->worker->loop.now_us;
	bool foreign = server->last_client_id && server->last_client_id != client->id;
	if (!server->checked && config->server_check_query && *config->server_check_query &&
	    now - server->released_us > (uint64_t)config->server_check_delay_ms * 1000) {
		server->checked = true;
		pgm_job_start(server, PGM_JOB_CHECK, config->server_check_query);
		return;
	}
	if (config->strict && foreign && !server->cleaned && server->share->pool->mode != PGM_POOL_SESSION) {
		server->cleaned = true;
		server->share->stats.resets++;
		pgm_job_start(server, PGM_JOB_CLEAN, strict_reset);
		return;
	}
	if (client->reads_sequences && !pgm_session_has_own_sequences(server, client)) {
		pgm_job_start(server, PGM_JOB_SEQUENCES, "/* pgmend */ DISCARD SEQUENCES");
		return;
	}
	if (server->applied != client->settings) {
		struct text text = {0};
		char encoding[64];
		read_encoding(server->share->pool, encoding, sizeof(encoding));
		server->share->stats.applies++;
		add_difference(&text, server->applied, client->settings, encoding);
		job_text(server, PGM_JOB_APPLY, &text);
		return;
	}
	server->last_client_id = client->id;
	tell_reports(server, client);
	if (client->server == server) /* it may have gone while it was told */
		pgm_client_linked(client);
}

static void linked_job_failed(struct pgm_server *server)
{
	struct pgm_client *client = server->client;
	char sqlstate[6], message[256];
	memcpy(sqlstate, server->job_sqlstate, sizeof(sqlstate));
	memcpy(message, server->job_message, sizeof(message));
	server->client = NULL;
	client->server = NULL;
	pgm_server_close(server, "it could not be made ready for a client");
	pgm_client_link_failed(client, sqlstate, message);
}

/* One transaction, so nothing of it is left: the server is as good as before. */
static void apply_failed(struct pgm_server *server)
{
	struct pgm_client *client = server->client;
	server->client = NULL;
	client->server = NULL;
	pgm_client_link_failed(client, server->job_sqlstate, server->job_message);
	pgm_server_clean(server);
}

static void job_done_linked(struct pgm_server *server, enum pgm_job job)
{
	struct pgm_client *client = server->client;
	switch (job) {
	case PGM_JOB_PROBE:
		/* a cancel request that came late, or the client's own statement_timeout */
		if (server->job_failed && strcmp(server->job_sqlstate, "57014") == 0 &&
		    ++server->probe_tries < PROBE_TRIES) {
			free_probe(server);
			start_probe(server, client);
			return;
		}
		server->probe_tries = 0;
		take_probe(server, client);
		free_probe(server);
		release_or_stay(server, client);
		return;
	case PGM_JOB_CHECK:
		if (server->job_failed) { /* another server will do */
			server->client = NULL;
			client->server = NULL;
			pgm_server_close(server, "test query failed");
			pgm_client_wait(client);
			return;
		}
		break;
	case PGM_JOB_APPLY:
		if (server->job_failed) {
			apply_failed(server);
			return;
		}
		pgm_pairs_put(&server->applied, pgm_pairs_hold(client->settings));
		break;
	case PGM_JOB_CANCEL:
		if (server->job_failed)
			(void)!pgm_client_fail_request(client, server->status);
		pgm_client_run(client);
		return;
	case PGM_JOB_SEQUENCES:
		forget_sequences(server);
		if (client->cancel_due && !server->job_failed) {
			client->cancel_due = false;
			/* from within, so that it can hit nothing else */
			pgm_job_start(server, PGM_JOB_CANCEL,
				      "/* pgmend */ SELECT pg_catalog.pg_cancel_backend("
				      "pg_catalog.pg_backend_pid()), pg_catalog.pg_sleep(1)");
			return;
		}
		/* fall through */
	default:
		if (server->job_failed) {
			linked_job_failed(server);
			return;
		}
		if (job == PGM_JOB_CLEAN) {
			pgm_pairs_put(&server->applied, pgm_pairs_of(NULL, 0));
			forget_sequences(server);
		}
	}
	pgm_session_prepare(server);
}

void pgm_job_done(struct pgm_server *server)
{
	enum pgm_job job = server->job;
	server->job = PGM_JOB_NONE;
	if (server->client) {
		job_done_linked(server, job);
		return;
	}
	free_probe(server);
	if (server->job_failed && job != PGM_JOB_SETTLE) {
		pgm_log(PGM_LOG_WARNING, "%s/%s: a server is closed, for our own statement failed: %s",
			server->share->pool->database->name, server->share->pool->user, server->job_message);
		if (job == PGM_JOB_CONNECT_QUERY)
			pgm_server_failed(server, server->job_sqlstate, server->job_message, true);
		pgm_server_close(server, "our own statement failed");
		return;
	}
	if (job == PGM_JOB_ROLLBACK || job == PGM_JOB_RESET || job == PGM_JOB_SETTLE) {
		if (job == PGM_JOB_RESET) {
			pgm_pairs_put(&server->applied, pgm_pairs_of(NULL, 0));
			pgm_holding_clear(&server->holding);
			forget_sequences(server);
			server->touched = 0;
			server->dirty = false;
		}
		pgm_server_clean(server);
		return;
	}
	pgm_server_to_idle(server);
}
