/*
 * From a client to its server: whole messages, looked at in the buffer they were read into and sent on from
 * there. In transaction mode statements' names are replaced by ours, a statement that the server does not
 * have is prepared on it first, and what may touch the session is noted (session.h).
 */
#include "pool/client.h"
#include "pool/relay.h"
#include "pool/scan/scan_cache.h"
#include "pool/session.h"

#include <stdlib.h>
#include <string.h>

enum next {
	NEXT_MESSAGE, /* this one is done with */
	NEXT_WAIT,    /* it must stay: for a server, or for answers */
	NEXT_GONE,    /* the client is closed */
};

struct front {
	struct pgm_client *client;
	const uint8_t *message; /* the one at hand */
	size_t total;		/* of it, header included */
	size_t there;		/* of that; less for a long one that is passed on as it comes */
	const uint8_t *body;
	size_t length;
};

static struct pgm_expect *expect(struct front *front, enum pgm_expect_kind kind, unsigned flags)
{
	struct pgm_server *server = front->client->server;
	if (server->expect_count == 0) {
		server->mark_us = front->client->worker->loop.now_us;
		server->bytes_since_mark = 0;
		server->rows = 0;
	}
	return pgm_server_expect(server, kind, flags);
}

static enum next out_of_memory(struct front *front)
{
	pgm_client_end(front->client, "53200", "out of memory");
	return NEXT_GONE;
}

static enum next pass(struct front *front)
{
	pgm_relay_raw(front->client, front->message, front->there);
	if (front->there < front->total)
		front->client->stream_left = front->total - front->there;
	return NEXT_MESSAGE;
}

static const uint32_t barriers =
	PGM_SCAN_COPY | PGM_SCAN_DEALLOCATE_ALL | PGM_SCAN_DISCARD_ALL | PGM_SCAN_UNKNOWN;

static enum next answer_locally(struct front *front, enum pgm_expect_kind kind)
{
	struct pgm_client *client = front->client;
	if (client->server->expect_count == 0) {
		/* it is done: no failure of what follows undoes it */
		pgm_journal_clear(client);
		uint8_t message[PGM_RELAY_LOCAL_BYTES];
		size_t length = pgm_relay_local_answer(kind, message, sizeof(message));
		return pgm_client_send(client, message, length) ? NEXT_MESSAGE : NEXT_GONE;
	}
	return expect(front, kind, PGM_EXPECT_LOCAL) ? NEXT_MESSAGE : out_of_memory(front);
}

/* The client's name goes, and the request is answered when its turn comes. */
static enum next drop_name(struct front *front, const char *name, enum pgm_expect_kind kind)
{
	struct pgm_client *client = front->client;
	if (!pgm_journal_note(client, name))
		return out_of_memory(front);
	client->portal = NULL;
	pgm_names_remove(&client->names, name);
	return answer_locally(front, kind);
}

static bool expect_sync(struct front *front)
{
	struct pgm_server *server = front->client->server;
	server->skip_to_sync = false;
	server->unsynced = false;
	server->batch_clock = server->holding.clock;
	if (!expect(front, PGM_EXPECT_SYNC, 0))
		return false;
	front->client->batch_position = pgm_relay_next_position(server);
	return true;
}

/* ---- simple queries ---- */

/* DEALLOCATE of a name of the protocol as a simple query; it ends a batch that has no Sync yet, as any does.
 */
static enum next deallocate(struct front *front, const char *name)
{
	static const uint8_t sync[] = {PGM_FE_SYNC, 0, 0, 0, 4};
	struct pgm_client *client = front->client;
	if (!client->server->unsynced)
		return pgm_relay_deallocate(client, name) ? NEXT_MESSAGE : NEXT_GONE;
	client->unnamed_id = 0;
	enum next next = drop_name(front, name, PGM_EXPECT_EXECUTE);
	if (next != NEXT_MESSAGE)
		return next;
	pgm_relay_raw(client, sync, sizeof(sync));
	return expect_sync(front) ? NEXT_MESSAGE : out_of_memory(front);
}

static enum next query(struct front *front)
{
	struct pgm_client *client = front->client;
	struct pgm_server *server = client->server;
	struct pgm_scan scan = {.flags = PGM_SCAN_UNKNOWN |
					 PGM_SCAN_CUSTOM_SETTING}; /* too long to be looked at */
	const char *sql = (const char *)front->body;
	size_t sql_length = front->there == front->total ? strnlen(sql, front->length) : 0;
	if (client->worker->pooler->config->disable_pqexec) {
		pgm_client_end(client, "08P01", "PQexec disallowed");
		return NEXT_GONE;
	}
	if (sql_length)
		pgm_scan_sql(sql, sql_length, client->standard_strings, &scan);
	else if (front->there == front->total)
		scan.flags = 0;
	if (pgm_relay_forbids(client, &scan))
		return NEXT_GONE;
	if (pgm_relay_settle_sequences(client, &scan))
		return NEXT_WAIT;
	/* an error before it, and no Sync between, and it is passed over */
	if (server->unsynced && pgm_relay_answer_first(client))
		return NEXT_WAIT;
	/* DEALLOCATE may name a statement that a request before it makes or uses */
	if (scan.flags & PGM_SCAN_PREPARES && pgm_relay_tracks(client) && pgm_relay_answer_first(client))
		return NEXT_WAIT;
	if (pgm_relay_tracks(client)) {
		char name[PGM_RELAY_NAME_BYTES];
		if (server->expect_count == 0 && pgm_relay_deallocates(client, &scan, sql, sql_length, name))
			return deallocate(front, name);
		pgm_relay_touch(client, &scan, sql, sql_length);
	} else {
		pgm_relay_touch_session(client, &scan, sql, sql_length);
	}
	/* PostgreSQL drops the unnamed statement when it begins with a simple query that is not broken */
	if (front->there < front->total || sql_length + 1 == front->length) {
		pgm_journal_overtake(client);
		client->unnamed_id = 0;
		server->unnamed = 0;
	}
	pgm_sample_query(server, sql, sql_length);
	struct pgm_expect *expected =
		expect(front, PGM_EXPECT_QUERY,
		       (scan.flags & (PGM_SCAN_DDL | PGM_SCAN_TEMP)) == PGM_SCAN_DDL ? PGM_EXPECT_DDL : 0);
	if (!expected)
		return out_of_memory(front);
	server->unsynced = false;
	client->batch_position = pgm_relay_next_position(server);
	pgm_relay_note_call(client, expected, &scan, sql, sql_length);
	if (scan.flags & barriers)
		client->barrier = true;
	return pass(front);
}

/* ---- extended queries ---- */

/* A Parse, Bind, Describe or Close with another name. */
static bool send_renamed(struct front *front, size_t prefix, const char *old, const char *name)
{
	struct pgm_client *client = front->client;
	size_t old_length = strlen(old) + 1, name_length = strlen(name) + 1;
	size_t head = PGM_WIRE_HEADER_BYTES + prefix + name_length;
	uint8_t *room = pgm_relay_room(client, head);
	if (!room)
		return false;
	room[0] = front->message[0];
	pgm_wire_put32(room + 1, (uint32_t)(front->total - 1 - old_length + name_length));
	memcpy(room + PGM_WIRE_HEADER_BYTES, front->body, prefix);
	memcpy(room + PGM_WIRE_HEADER_BYTES + prefix, name, name_length);
	pgm_relay_used(client, head);
	size_t skip = PGM_WIRE_HEADER_BYTES + prefix + old_length;
	pgm_relay_raw(client, front->message + skip, front->there - skip);
	if (front->there < front->total)
		client->stream_left = front->total - front->there;
	return true;
}

/* Beyond max_prepared_statements the one that was not used for longest is closed. */
static bool make_room(struct front *front)
{
	struct pgm_client *client = front->client;
	struct pgm_server *server = client->server;
	int64_t most = client->worker->pooler->config->max_prepared_statements;
	if (most <= 0)
		most = 200;
	if (server->holding.count < (size_t)most)
		return true;
	struct pgm_prepared *oldest = pgm_holding_oldest(&server->holding, server->batch_clock);
	if (!oldest || pgm_relay_unsure_of(client, oldest))
		return true; /* all are in use by this very batch, or it may not be there after all */
	struct pgm_expect *expected = pgm_relay_close(client, oldest->name)
					      ? expect(front, PGM_EXPECT_CLOSE, PGM_EXPECT_HIDDEN)
					      : NULL;
	if (!expected)
		return false;
	client->portal = client->portal == oldest ? NULL : client->portal;
	/* it is held again where the server passes over this */
	pgm_relay_changes(server, expected, oldest);
	pgm_holding_remove(&server->holding, oldest);
	return true;
}

/* Prepare on the server what it does not have. */
static bool ensure(struct front *front, struct pgm_prepared *prepared)
{
	struct pgm_client *client = front->client;
	struct pgm_server *server = client->server;
	if (pgm_holding_touch(&server->holding, prepared))
		return true;
	if (!make_room(front) || !pgm_holding_add(&server->holding, prepared) ||
	    !pgm_relay_parse(client, prepared->name, prepared->body, prepared->body_length))
		return false;
	struct pgm_expect *expected = expect(front, PGM_EXPECT_PARSE, PGM_EXPECT_HIDDEN);
	if (!expected)
		return false;
	pgm_relay_changes(server, expected, prepared);
	server->share->stats.server_parses++;
	return true;
}

/*
 * A Parse of what the server holds. In a transaction that has failed, or may have, or in which names may
 * stand for something else by now, only the server knows the answer: it is asked to prepare the text under a
 * name that nobody has, and to forget it. Not without a name: it would forget the client's unnamed statement,
 * and could not prepare it again before the transaction ends.
 */
static enum next parse_held(struct front *front, const uint8_t *rest, size_t length)
{
	struct pgm_client *client = front->client;
	struct pgm_server *server = client->server;
	if (server->status != 'E' && !pgm_relay_behind(client) && !(server->touched & PGM_SCAN_MEANING))
		return answer_locally(front, PGM_EXPECT_PARSE);
	if (!pgm_relay_parse(client, PGM_STATEMENT_PROXY, rest, length) ||
	    !expect(front, PGM_EXPECT_PARSE, PGM_EXPECT_PROXY) ||
	    !pgm_relay_close(client, PGM_STATEMENT_PROXY) ||
	    !expect(front, PGM_EXPECT_CLOSE, PGM_EXPECT_HIDDEN))
		return out_of_memory(front);
	return NEXT_MESSAGE;
}

/* No other client's has it, nor one of its own from before. */
static void number_unnamed(struct pgm_client *client)
{
	client->unnamed_id = ++client->worker->next_unnamed << 8 | client->worker->index;
	client->server->unnamed = client->unnamed_id;
}

static enum next parse_unnamed(struct front *front, const uint8_t *rest, size_t length, size_t sql_length)
{
	struct pgm_client *client = front->client;
	struct pgm_scan scan;
	pgm_scan_again(client->worker->scans, (const char *)rest, sql_length, client->standard_strings,
		       &scan);
	if (pgm_relay_settle_sequences(client, &scan))
		return NEXT_WAIT;
	if (client->journal_bytes > PGM_CLIENT_JOURNAL_MAX && pgm_relay_answer_first(client))
		return NEXT_WAIT;
	if (!pgm_journal_note(client, NULL))
		return out_of_memory(front);
	if (client->unnamed_capacity < length || client->unnamed_capacity > length + 65536) {
		uint8_t *grown = realloc(client->unnamed, length + 64);
		if (!grown)
			return out_of_memory(front);
		client->unnamed = grown;
		client->unnamed_capacity = length + 64;
	}
	memcpy(client->unnamed, rest, length);
	client->unnamed_length = length;
	client->unnamed_sql = sql_length;
	client->unnamed_scan = scan;
	number_unnamed(client);
	return expect(front, PGM_EXPECT_PARSE, 0) ? pass(front) : out_of_memory(front);
}

static enum next parse_named(struct front *front, const char *name, const uint8_t *rest, size_t length,
			     size_t sql_length)
{
	struct pgm_client *client = front->client;
	struct pgm_server *server = client->server;
	struct pgm_prepared *taken = pgm_names_get(&client->names, name);
	server->share->stats.client_parses++;
	if (taken) { /* it must fail, but maybe for its text: the server says which */
		struct pgm_expect *expected;
		if (pgm_relay_wait_for_statement(client, taken))
			return NEXT_WAIT;
		if (!ensure(front, taken) || !send_renamed(front, 0, name, taken->name) ||
		    !(expected = expect(front, PGM_EXPECT_PARSE, PGM_EXPECT_DUPLICATE)))
			return out_of_memory(front);
		expected->prepared = taken;
		expected->name_tag = pgm_name_tag(name);
		return NEXT_MESSAGE;
	}
	if (client->names.bytes + strlen(name) + length > PGM_CLIENT_NAMES_MAX) {
		pgm_client_end(client, "53200", "too many prepared statements: they take %zu MB",
			       PGM_CLIENT_NAMES_MAX >> 20);
		return NEXT_GONE;
	}
	struct pgm_prepared *prepared = pgm_prepared_of(client->share->pool, rest, length, sql_length,
							client->shaping, client->standard_strings);
	if (prepared && pgm_relay_settle_sequences(client, &prepared->scan)) {
		pgm_prepared_drop(prepared);
		return NEXT_WAIT;
	}
	/* a batch before it may fail to prepare the same text */
	if (prepared && pgm_relay_wait_for_statement(client, prepared)) {
		pgm_prepared_drop(prepared);
		return NEXT_WAIT;
	}
	/* the journal knows this request by its position: what is sent before it must have been */
	bool held = prepared && pgm_holding_touch(&server->holding, prepared);
	if (!prepared || (!held && !make_room(front)) || !pgm_journal_note(client, name)) {
		pgm_prepared_drop(prepared);
		return out_of_memory(front);
	}
	/* PostgreSQL cuts a name at 63 bytes for no prepared statement, so neither do we */
	if (!pgm_names_put(&client->names, name, prepared)) {
		pgm_prepared_drop(prepared);
		return out_of_memory(front);
	}
	if (held)
		return parse_held(front, rest, length);
	struct pgm_expect *expected;
	if (!pgm_holding_add(&server->holding, prepared) || !send_renamed(front, 0, name, prepared->name) ||
	    !(expected = expect(front, PGM_EXPECT_PARSE, PGM_EXPECT_NAMED)))
		return out_of_memory(front);
	pgm_relay_changes(server, expected, prepared);
	server->share->stats.server_parses++;
	return NEXT_MESSAGE;
}

/*
 * A name that this client never gave, but that we give to statements on servers: asked for as one that there
 * is not, so that the server says so itself and another client's statement stays that client's.
 */
static enum next unknown(struct front *front, enum pgm_expect_kind kind, size_t prefix, const char *name)
{
	char other[72];
	snprintf(other, sizeof(other), "pgm_%.60s", name + 4);
	return send_renamed(front, prefix, name, other) && expect(front, kind, 0) ? NEXT_MESSAGE
										  : out_of_memory(front);
}

/* Longer than what is kept: it is on this server alone, and so its client stays there. */
static enum next parse_too_long(struct front *front)
{
	struct pgm_client *client = front->client;
	if (*front->body == '\0') {
		if (!pgm_journal_note(client, NULL))
			return out_of_memory(front);
		client->unnamed_length = client->unnamed_sql = 0;
		client->unnamed_scan = (struct pgm_scan){.flags = PGM_SCAN_UNKNOWN | PGM_SCAN_CUSTOM_SETTING};
		number_unnamed(client);
	}
	client->server->touched |= PGM_SCAN_UNKNOWN | PGM_SCAN_CUSTOM_SETTING;
	return expect(front, PGM_EXPECT_PARSE, 0) ? pass(front) : out_of_memory(front);
}

static enum next parse(struct front *front)
{
	struct pgm_client *client = front->client;
	struct pgm_cursor cursor = pgm_cursor_over(front->body, front->length);
	size_t sql_length;
	const char *name = pgm_cursor_string(&cursor, NULL);
	const uint8_t *rest = cursor.at;
	pgm_cursor_string(&cursor, &sql_length);
	if (!cursor.bad && *name && front->there < front->total && pgm_relay_tracks(client)) {
		if (pgm_names_get(&client->names, name))
			return parse_named(front, name, NULL, 0, 0);
		if (pgm_prepared_is_ours(name, strlen(name)))
			return unknown(front, PGM_EXPECT_PARSE, 0, name);
	}
	if (front->there < front->total && pgm_relay_tracks(client))
		return parse_too_long(front);
	if (!pgm_relay_tracks(client)) {
		pgm_relay_look_in_session(client, cursor.bad ? NULL : (const char *)rest, sql_length);
		return expect(front, PGM_EXPECT_PARSE, 0) ? pass(front) : out_of_memory(front);
	}
	size_t length = (size_t)(cursor.end - rest), types = pgm_cursor_u16(&cursor);
	/* one that is broken gets the server's own answer, and changes nothing there */
	unsigned broken = cursor.bad || pgm_cursor_left(&cursor) != types * 4 ? PGM_EXPECT_BROKEN : 0;
	if (broken)
		return expect(front, PGM_EXPECT_PARSE, broken) ? pass(front) : out_of_memory(front);
	if (*name && pgm_relay_wait_for_name(client, name))
		return NEXT_WAIT;
	return *name ? parse_named(front, name, rest, length, sql_length)
		     : parse_unnamed(front, rest, length, sql_length);
}

/* The unnamed statement of the server is this client's, or none. */
static bool ensure_unnamed(struct front *front)
{
	struct pgm_client *client = front->client;
	struct pgm_server *server = client->server;
	if (server->unnamed == client->unnamed_id)
		return true;
	if (!pgm_journal_note(client, NULL))
		return false;
	if (!client->unnamed_length) /* it was too long to be kept, and is gone with its server */
		client->unnamed_id = 0;
	server->unnamed = client->unnamed_id;
	if (!client->unnamed_id)
		return pgm_relay_close(client, "") && expect(front, PGM_EXPECT_CLOSE, PGM_EXPECT_HIDDEN);
	return pgm_relay_parse(client, "", client->unnamed, client->unnamed_length) &&
	       expect(front, PGM_EXPECT_PARSE, PGM_EXPECT_HIDDEN);
}

static enum next bind_statement(struct front *front)
{
	struct pgm_client *client = front->client;
	struct pgm_cursor cursor = pgm_cursor_over(front->body, front->length);
	client->portal_tag = pgm_name_tag(pgm_cursor_string(&cursor, NULL));
	size_t prefix = (size_t)(cursor.at - front->body);
	const char *name = pgm_cursor_string(&cursor, NULL);
	if (!cursor.bad && pgm_relay_wait_for_name(client, *name ? name : NULL))
		return NEXT_WAIT;
	client->portal = NULL;
	client->server->share->stats.binds++;
	if (!cursor.bad && front->there == front->total)
		pgm_sample_bind(client->server, cursor.at, pgm_cursor_left(&cursor));
	if (!cursor.bad && pgm_relay_tracks(client)) {
		struct pgm_prepared *prepared = *name ? pgm_names_get(&client->names, name) : NULL;
		if (prepared) {
			struct pgm_expect *expected;
			if (pgm_relay_settle_sequences(client, &prepared->scan) ||
			    pgm_relay_wait_for_statement(client, prepared))
				return NEXT_WAIT;
			if (!ensure(front, prepared) || !send_renamed(front, prefix, name, prepared->name) ||
			    !(expected = expect(front, PGM_EXPECT_BIND, 0)))
				return out_of_memory(front);
			expected->name_tag = pgm_name_tag(name);
			client->portal = prepared;
			client->bound_flags |= prepared->scan.flags;
			pgm_relay_touch(client, &prepared->scan, (const char *)prepared->body,
					prepared->sql_length);
			return NEXT_MESSAGE;
		}
		if (!*name && !ensure_unnamed(front))
			return out_of_memory(front);
		if (!*name && client->unnamed_id) {
			client->bound_flags |= client->unnamed_scan.flags;
			pgm_relay_touch(client, &client->unnamed_scan, (const char *)client->unnamed,
					client->unnamed_sql);
		}
	}
	if (!cursor.bad && pgm_relay_tracks(client)) {
		if (pgm_prepared_is_ours(name, strlen(name)))
			return unknown(front, PGM_EXPECT_BIND, prefix, name);
		/* PREPARE may have made it, of a text that sets something */
		if (*name)
			client->server->touched |= PGM_SCAN_UNKNOWN;
	}
	return expect(front, PGM_EXPECT_BIND, 0) ? pass(front) : out_of_memory(front);
}

static enum next describe(struct front *front)
{
	struct pgm_client *client = front->client;
	struct pgm_cursor cursor = pgm_cursor_over(front->body, front->length);
	uint8_t kind = pgm_cursor_u8(&cursor);
	const char *name = pgm_cursor_string(&cursor, NULL);
	if (!cursor.bad && kind == 'S' && pgm_relay_wait_for_name(client, *name ? name : NULL))
		return NEXT_WAIT;
	if (!cursor.bad && kind == 'S' && pgm_relay_tracks(client)) {
		struct pgm_prepared *prepared = *name ? pgm_names_get(&client->names, name) : NULL;
		if (prepared) {
			if (pgm_relay_wait_for_statement(client, prepared))
				return NEXT_WAIT;
			if (!ensure(front, prepared) || !send_renamed(front, 1, name, prepared->name) ||
			    !expect(front, PGM_EXPECT_DESCRIBE, 0))
				return out_of_memory(front);
			return NEXT_MESSAGE;
		}
		if (pgm_prepared_is_ours(name, strlen(name)))
			return unknown(front, PGM_EXPECT_DESCRIBE, 1, name);
		if (!*name && !ensure_unnamed(front))
			return out_of_memory(front);
	}
	return expect(front, PGM_EXPECT_DESCRIBE, 0) ? pass(front) : out_of_memory(front);
}

static enum next close_statement(struct front *front)
{
	struct pgm_client *client = front->client;
	struct pgm_cursor cursor = pgm_cursor_over(front->body, front->length);
	uint8_t kind = pgm_cursor_u8(&cursor);
	const char *name = pgm_cursor_string(&cursor, NULL);
	/* errors of an earlier batch may tell of the name: it must be known until then */
	if (!cursor.bad && kind == 'S' && *name && pgm_relay_behind(client) && pgm_relay_answer_first(client))
		return NEXT_WAIT;
	if (!cursor.bad && kind == 'S' && pgm_relay_tracks(client)) {
		if (!*name) {
			if (!pgm_journal_note(client, NULL))
				return out_of_memory(front);
			client->unnamed_id = 0;
			client->server->unnamed = 0;
		} else if (pgm_names_get(&client->names, name)) {
			return drop_name(front, name, PGM_EXPECT_CLOSE);
		} else if (pgm_prepared_is_ours(name, strlen(name))) {
			return unknown(front, PGM_EXPECT_CLOSE, 1, name);
		}
	}
	return expect(front, PGM_EXPECT_CLOSE, 0) ? pass(front) : out_of_memory(front);
}

static enum next execute(struct front *front)
{
	struct pgm_client *client = front->client;
	const struct pgm_prepared *prepared = client->portal;
	const struct pgm_scan *scan = prepared ? &prepared->scan : &client->unnamed_scan;
	const char *sql = (const char *)(prepared ? prepared->body : client->unnamed);
	size_t length = prepared ? prepared->sql_length : client->unnamed_sql;
	if (!prepared && !client->unnamed_id) { /* nothing is known of it */
		static const struct pgm_scan nothing;
		scan = &nothing;
		sql = "";
		length = 0;
	}
	if (pgm_relay_forbids(client, scan))
		return NEXT_GONE;
	char name[PGM_RELAY_NAME_BYTES];
	if (length && pgm_relay_tracks(client) && pgm_relay_runs_last(client, front->body, front->length) &&
	    pgm_relay_deallocates(client, scan, sql, length, name)) {
		if (pgm_relay_wait_for_name(client, name))
			return NEXT_WAIT;
		return drop_name(front, name, PGM_EXPECT_EXECUTE);
	}
	if (length)
		pgm_sample_execute(client->server, (const uint8_t *)sql, length,
				   prepared ? prepared->body_length : client->unnamed_length);
	/* which portal runs is not followed: any that was bound in this transaction may be it */
	struct pgm_expect *expected = expect(
		front, PGM_EXPECT_EXECUTE,
		(client->bound_flags & (PGM_SCAN_DDL | PGM_SCAN_TEMP)) == PGM_SCAN_DDL ? PGM_EXPECT_DDL : 0);
	if (!expected)
		return out_of_memory(front);
	if (length)
		pgm_relay_note_call(client, expected, scan, sql, length);
	if (client->bound_flags & barriers || client->copies) {
		/* what follows depends on its answer, which only comes when it is asked for */
		client->barrier = true;
		pass(front);
		pgm_relay_flush(client);
		return NEXT_MESSAGE;
	}
	return pass(front);
}

/*
 * While the server reads COPY data, it reads over Sync and Flush, and ends the session at anything else but
 * CopyDone and CopyFail; unless the COPY has failed meanwhile, which nobody can tell yet: then these are
 * requests as any. They are sent as they are, and the server is not kept. A Sync is kept back: whether the
 * server would have answered it shows when the COPY ends (backend.c).
 */
static enum next during_copy(struct front *front)
{
	struct pgm_server *server = front->client->server;
	uint8_t type = front->message[0];
	switch (type) {
	case PGM_FE_COPY_DATA:
		server->syncs_in_copy = 0;
		return pass(front);
	case PGM_FE_SYNC:
		server->syncs_in_copy++;
		return NEXT_MESSAGE;
	case PGM_FE_FLUSH:
		return NEXT_MESSAGE;
	case PGM_FE_COPY_DONE:
	case PGM_FE_COPY_FAIL:
		server->copy_in = false;
		return pass(front);
	default:
		server->copy_in = false;
		server->close_soon = true;
		server->unsynced =
			type != PGM_FE_QUERY && type != PGM_FE_FUNCTION; /* may have to be flushed */
		return expect(front, pgm_relay_answer_to(type), PGM_EXPECT_BROKEN) ? pass(front)
										   : out_of_memory(front);
	}
}

static void begin_batch(struct pgm_server *server)
{
	server->batch_clock = server->holding.clock;
	pgm_sample_begin(server);
}

static enum next to_server(struct front *front)
{
	struct pgm_client *client = front->client;
	struct pgm_server *server = client->server;
	uint8_t type = front->message[0];
	if (server->copy_in)
		return during_copy(front);
	if (server->skip_to_sync && type != PGM_FE_SYNC)
		return NEXT_MESSAGE;
	/* data for a COPY that was asked for and has not begun: whether it does shows in the answer;
	 * replication goes both ways while its answer lasts */
	if (pgm_wire_is_among(type, PGM_FE_OF_COPY) && !server->replication && pgm_relay_answer_first(client))
		return NEXT_WAIT;
	if (pgm_wire_is_among(type, PGM_FE_EXTENDED)) {
		if (!server->unsynced && server->expect_count == 0)
			begin_batch(server);
		server->unsynced = true;
	}
	switch (type) {
	case PGM_FE_QUERY:
		return query(front);
	case PGM_FE_PARSE:
		return parse(front);
	case PGM_FE_BIND:
		return bind_statement(front);
	case PGM_FE_DESCRIBE:
		return describe(front);
	case PGM_FE_EXECUTE:
		return execute(front);
	case PGM_FE_CLOSE:
		return close_statement(front);
	case PGM_FE_SYNC:
		return expect_sync(front) ? pass(front) : out_of_memory(front);
	case PGM_FE_FUNCTION:
		pgm_relay_touch_by_call(client, front->body, front->length);
		if (server->unsynced && pgm_relay_answer_first(client))
			return NEXT_WAIT;
		server->unsynced = false;
		return expect(front, PGM_EXPECT_FUNCTION, 0) ? pass(front) : out_of_memory(front);
	case PGM_FE_FLUSH:
		if (front->total == PGM_WIRE_HEADER_BYTES)
			return pass(front);
		server->unsynced = server->batch_sent =
			true; /* a broken one is answered by an error, as any request */
		return expect(front, PGM_EXPECT_BIND, 0) ? pass(front) : out_of_memory(front);
	default:
		return pass(front);
	}
}

static enum next wait_for_server(struct front *front)
{
	struct pgm_client *client = front->client;
	pgm_client_wait(client);
	if (client->state != PGM_CLIENT_LINKED)
		return client->state >= PGM_CLIENT_CLOSING ? NEXT_GONE : NEXT_WAIT;
	client->worker->gather_count = 0;
	client->worker->rewrite_used = 0;
	return to_server(front);
}

/* Without a server: what needs none. */
static enum next without_server(struct front *front)
{
	struct pgm_client *client = front->client;
	static const uint8_t ready[] = {PGM_BE_READY, 0, 0, 0, 5, 'I'};
	switch (front->message[0]) {
	case PGM_FE_SYNC:
		if (front->total > PGM_WIRE_HEADER_BYTES) /* broken */
			return wait_for_server(front);
		return pgm_client_send(client, ready, sizeof(ready)) ? NEXT_MESSAGE : NEXT_GONE;
	case PGM_FE_FLUSH:
		return front->total > PGM_WIRE_HEADER_BYTES ? wait_for_server(front) : NEXT_MESSAGE;
	case PGM_FE_COPY_DATA:
	case PGM_FE_COPY_DONE:
	case PGM_FE_COPY_FAIL:
		return NEXT_MESSAGE; /* the server would read over them */
	case PGM_FE_PARSE:
		if (front->there == front->total &&
		    pgm_relay_parse_without_server(client, front->body, front->length))
			return NEXT_MESSAGE;
		if (client->state >= PGM_CLIENT_CLOSING)
			return NEXT_GONE;
		/* fall through */
	default:
		return wait_for_server(front);
	}
}

static enum next handle(struct front *front)
{
	static const uint64_t needless = PGM_WIRE_TYPE(PGM_FE_SYNC) | PGM_WIRE_TYPE(PGM_FE_FLUSH);
	struct pgm_client *client = front->client;
	if (front->message[0] == PGM_FE_TERMINATE) {
		(void)!pgm_relay_send(client);
		/* a stream of replication ends with its client's goodbye */
		if (!client->replication && pgm_relay_answer_first(client)) {
			client->terminating = true;
			return NEXT_WAIT;
		}
		pgm_client_close(client, "client close request");
		return NEXT_GONE;
	}
	if (client->passing_over && front->message[0] != PGM_FE_SYNC)
		return NEXT_MESSAGE;
	client->passing_over = false;
	if (!client->server && pgm_wire_is_among(front->message[0], needless | PGM_FE_OF_COPY)) {
		client->idle_since_us = client->worker->loop.now_us;
		return without_server(front);
	}
	if (!client->transaction_us)
		client->transaction_us = client->worker->loop.now_us;
	if (client->idle_since_us && client->server)
		client->idle_in_transaction_us += client->worker->loop.now_us - client->idle_since_us;
	client->idle_since_us = 0;
	return client->server ? to_server(front) : without_server(front);
}

static bool may_come_in_parts(const struct front *front)
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
static enum next look_at_header(struct pgm_client *client, uint8_t type, size_t total)
{
	int64_t most = client->worker->pooler->config->max_packet_size_bytes;
	bool possible = total >= PGM_WIRE_HEADER_BYTES && total <= (size_t)PGM_WIRE_MESSAGE_MAX + 1 &&
			(most <= 0 || total <= (size_t)most) &&
			(total <= PGM_CLIENT_SMALL_MAX || !memchr("SHcfEDCX", type, 8));
	/* within COPY the server has words of its own for a type that it does not know */
	bool known = pgm_wire_is_frontend(type) || (client->server && client->server->copy_in);
	if (known && possible)
		return NEXT_MESSAGE;
	if (pgm_relay_answer_first(client))
		return NEXT_WAIT;
	if (known)
		pgm_client_end(client, "08P01", "invalid message length");
	else
		pgm_client_end(client, "08P01", "invalid frontend message type %d", type);
	return NEXT_GONE;
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
		struct front front = {.client = client,
				      .message = bytes + at,
				      .total = (size_t)pgm_wire_get32(bytes + at + 1) + 1,
				      .body = bytes + at + PGM_WIRE_HEADER_BYTES};
		enum next next = look_at_header(client, front.message[0], front.total);
		if (next == NEXT_GONE)
			return length;
		if (next == NEXT_WAIT)
			break;
		front.there = front.total < length - at ? front.total : length - at;
		front.length = front.there - PGM_WIRE_HEADER_BYTES;
		if (front.there < front.total &&
		    !(may_come_in_parts(&front) && front.there >= PGM_CLIENT_STREAM_BYTES))
			break;
		next = handle(&front);
		if (next == NEXT_GONE)
			return length;
		if (next == NEXT_WAIT)
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
