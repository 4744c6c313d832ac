/*
 * Statements: Parse, and preparing on a server what it does not have.
 */
#include "pool/frontend.h"

#include "pool/scan/scan_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool pgm_front_send_renamed(struct pgm_front *front, size_t prefix, const char *old, const char *name)
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
static bool make_room(struct pgm_front *front)
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
					      ? pgm_front_expect(front, PGM_EXPECT_CLOSE, PGM_EXPECT_HIDDEN)
					      : NULL;
	if (!expected)
		return false;
	client->portal = client->portal == oldest ? NULL : client->portal;
	/* it is held again where the server passes over this */
	pgm_relay_changes(server, expected, oldest);
	pgm_holding_remove(&server->holding, oldest);
	return true;
}

bool pgm_front_ensure(struct pgm_front *front, struct pgm_prepared *prepared)
{
	struct pgm_client *client = front->client;
	struct pgm_server *server = client->server;
	if (pgm_holding_touch(&server->holding, prepared))
		return true;
	if (!make_room(front) || !pgm_holding_add(&server->holding, prepared) ||
	    !pgm_relay_parse(client, prepared->name, prepared->body, prepared->body_length))
		return false;
	struct pgm_expect *expected = pgm_front_expect(front, PGM_EXPECT_PARSE, PGM_EXPECT_HIDDEN);
	if (!expected)
		return false;
	pgm_relay_changes(server, expected, prepared);
	server->share->stats.server_parses++;
	return true;
}

bool pgm_front_ensure_unnamed(struct pgm_front *front)
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
		return pgm_relay_close(client, "") &&
		       pgm_front_expect(front, PGM_EXPECT_CLOSE, PGM_EXPECT_HIDDEN);
	return pgm_relay_parse(client, "", client->unnamed, client->unnamed_length) &&
	       pgm_front_expect(front, PGM_EXPECT_PARSE, PGM_EXPECT_HIDDEN);
}

/*
 * A Parse of what the server holds. In a transaction that has failed, or may have, or in which names may
 * stand for something else by now, only the server knows the answer: it is asked to prepare the text under a
 * name that nobody has, and to forget it. Not without a name: it would forget the client's unnamed statement,
 * and could not prepare it again before the transaction ends.
 */
static enum pgm_next parse_held(struct pgm_front *front, const uint8_t *rest, size_t length)
{
	struct pgm_client *client = front->client;
	struct pgm_server *server = client->server;
	if (server->status != 'E' && !pgm_relay_behind(client) && !(server->touched & PGM_SCAN_MEANING))
		return pgm_front_answer_locally(front, PGM_EXPECT_PARSE);
	if (!pgm_relay_parse(client, PGM_STATEMENT_PROXY, rest, length) ||
	    !pgm_front_expect(front, PGM_EXPECT_PARSE, PGM_EXPECT_PROXY) ||
	    !pgm_relay_close(client, PGM_STATEMENT_PROXY) ||
	    !pgm_front_expect(front, PGM_EXPECT_CLOSE, PGM_EXPECT_HIDDEN))
		return pgm_front_out_of_memory(front);
	return PGM_NEXT_MESSAGE;
}

/* No other client's has it, nor one of its own from before. */
static void number_unnamed(struct pgm_client *client)
{
	client->unnamed_id = ++client->worker->next_unnamed << 8 | client->worker->index;
	client->server->unnamed = client->unnamed_id;
}

static enum pgm_next parse_unnamed(struct pgm_front *front, const uint8_t *rest, size_t length,
				   size_t sql_length)
{
	struct pgm_client *client = front->client;
	struct pgm_scan scan;
	pgm_scan_again(client->worker->scans, (const char *)rest, sql_length, client->standard_strings,
		       &scan);
	if (pgm_relay_settle_sequences(client, &scan))
		return PGM_NEXT_WAIT;
	if (client->journal_bytes > PGM_CLIENT_JOURNAL_MAX && pgm_relay_answer_first(client))
		return PGM_NEXT_WAIT;
	if (!pgm_journal_note(client, NULL))
		return pgm_front_out_of_memory(front);
	if (client->unnamed_capacity < length || client->unnamed_capacity > length + 65536) {
		uint8_t *grown = realloc(client->unnamed, length + 64);
		if (!grown)
			return pgm_front_out_of_memory(front);
		client->unnamed = grown;
		client->unnamed_capacity = length + 64;
	}
	memcpy(client->unnamed, rest, length);
	client->unnamed_length = length;
	client->unnamed_sql = sql_length;
	client->unnamed_scan = scan;
	number_unnamed(client);
	return pgm_front_request(front, PGM_EXPECT_PARSE, 0);
}

static enum pgm_next parse_named(struct pgm_front *front, const char *name, const uint8_t *rest,
				 size_t length, size_t sql_length)
{
	struct pgm_client *client = front->client;
	struct pgm_server *server = client->server;
	struct pgm_prepared *taken = pgm_names_get(&client->names, name);
	server->share->stats.client_parses++;
	if (taken) { /* it must fail, but maybe for its text: the server says which */
		struct pgm_expect *expected;
		if (pgm_relay_wait_for_statement(client, taken))
			return PGM_NEXT_WAIT;
		if (!pgm_front_ensure(front, taken) || !pgm_front_send_renamed(front, 0, name, taken->name) ||
		    !(expected = pgm_front_expect(front, PGM_EXPECT_PARSE, PGM_EXPECT_DUPLICATE)))
			return pgm_front_out_of_memory(front);
		expected->prepared = taken;
		expected->name_tag = pgm_name_tag(name);
		return PGM_NEXT_MESSAGE;
	}
	if (client->names.bytes + strlen(name) + length > PGM_CLIENT_NAMES_MAX) {
		pgm_client_end(client, "53200", "too many prepared statements: they take %zu MB",
			       PGM_CLIENT_NAMES_MAX >> 20);
		return PGM_NEXT_GONE;
	}
	struct pgm_prepared *prepared = pgm_prepared_of(client->share->pool, rest, length, sql_length,
							client->shaping, client->standard_strings);
	if (prepared && pgm_relay_settle_sequences(client, &prepared->scan)) {
		pgm_prepared_drop(prepared);
		return PGM_NEXT_WAIT;
	}
	/* a batch before it may fail to prepare the same text */
	if (prepared && pgm_relay_wait_for_statement(client, prepared)) {
		pgm_prepared_drop(prepared);
		return PGM_NEXT_WAIT;
	}
	/* the journal knows this request by its position: what is sent before it must have been */
	bool held = prepared && pgm_holding_touch(&server->holding, prepared);
	if (!prepared || (!held && !make_room(front)) || !pgm_journal_note(client, name)) {
		pgm_prepared_drop(prepared);
		return pgm_front_out_of_memory(front);
	}
	/* PostgreSQL cuts a name at 63 bytes for no prepared statement, so neither do we */
	if (!pgm_names_put(&client->names, name, prepared)) {
		pgm_prepared_drop(prepared);
		return pgm_front_out_of_memory(front);
	}
	if (held)
		return parse_held(front, rest, length);
	struct pgm_expect *expected;
	if (!pgm_holding_add(&server->holding, prepared) ||
	    !pgm_front_send_renamed(front, 0, name, prepared->name) ||
	    !(expected = pgm_front_expect(front, PGM_EXPECT_PARSE, PGM_EXPECT_NAMED)))
		return pgm_front_out_of_memory(front);
	pgm_relay_changes(server, expected, prepared);
	server->share->stats.server_parses++;
	return PGM_NEXT_MESSAGE;
}

enum pgm_next pgm_front_unknown(struct pgm_front *front, enum pgm_expect_kind kind, size_t prefix,
				const char *name)
{
	char other[72];
	snprintf(other, sizeof(other), "pgm_%.60s", name + 4);
	return pgm_front_send_renamed(front, prefix, name, other) && pgm_front_expect(front, kind, 0)
		       ? PGM_NEXT_MESSAGE
		       : pgm_front_out_of_memory(front);
}

/* Longer than what is kept: it is on this server alone, and so its client stays there. */
static enum pgm_next parse_too_long(struct pgm_front *front)
{
	struct pgm_client *client = front->client;
	if (*front->body == '\0') {
		if (!pgm_journal_note(client, NULL))
			return pgm_front_out_of_memory(front);
		client->unnamed_length = client->unnamed_sql = 0;
		client->unnamed_scan = (struct pgm_scan){.flags = PGM_SCAN_UNKNOWN | PGM_SCAN_CUSTOM_SETTING};
		number_unnamed(client);
	}
	client->server->touched |= PGM_SCAN_UNKNOWN | PGM_SCAN_CUSTOM_SETTING;
	return pgm_front_request(front, PGM_EXPECT_PARSE, 0);
}

enum pgm_next pgm_front_parse(struct pgm_front *front)
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
			return pgm_front_unknown(front, PGM_EXPECT_PARSE, 0, name);
	}
	if (front->there < front->total && pgm_relay_tracks(client))
		return parse_too_long(front);
	if (!pgm_relay_tracks(client)) {
		pgm_relay_look_in_session(client, cursor.bad ? NULL : (const char *)rest, sql_length);
		return pgm_front_request(front, PGM_EXPECT_PARSE, 0);
	}
	size_t length = (size_t)(cursor.end - rest), types = pgm_cursor_u16(&cursor);
	/* one that is broken gets the server's own answer, and changes nothing there */
	unsigned broken = cursor.bad || pgm_cursor_left(&cursor) != types * 4 ? PGM_EXPECT_BROKEN : 0;
	if (broken)
		return pgm_front_request(front, PGM_EXPECT_PARSE, broken);
	if (*name && pgm_relay_wait_for_name(client, name))
		return PGM_NEXT_WAIT;
	return *name ? parse_named(front, name, rest, length, sql_length)
		     : parse_unnamed(front, rest, length, sql_length);
}
