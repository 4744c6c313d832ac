/*
 * What is done with a statement: Bind, Describe, Execute and Close.
 */
#include "pool/frontend.h"

#include <string.h>

enum pgm_next pgm_front_bind(struct pgm_front *front)
{
	struct pgm_client *client = front->client;
	struct pgm_cursor cursor = pgm_cursor_over(front->body, front->length);
	client->portal_tag = pgm_name_tag(pgm_cursor_string(&cursor, NULL));
	size_t prefix = (size_t)(cursor.at - front->body);
	const char *name = pgm_cursor_string(&cursor, NULL);
	if (!cursor.bad && pgm_relay_wait_for_name(client, *name ? name : NULL))
		return PGM_NEXT_WAIT;
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
				return PGM_NEXT_WAIT;
			if (!pgm_front_ensure(front, prepared) ||
			    !pgm_front_send_renamed(front, prefix, name, prepared->name) ||
			    !(expected = pgm_front_expect(front, PGM_EXPECT_BIND, 0)))
				return pgm_front_out_of_memory(front);
			expected->name_tag = pgm_name_tag(name);
			client->portal = prepared;
			client->bound_flags |= prepared->scan.flags;
			pgm_relay_touch(client, &prepared->scan, (const char *)prepared->body,
					prepared->sql_length);
			return PGM_NEXT_MESSAGE;
		}
		if (!*name && !pgm_front_ensure_unnamed(front))
			return pgm_front_out_of_memory(front);
		if (!*name && client->unnamed_id) {
			client->bound_flags |= client->unnamed_scan.flags;
			pgm_relay_touch(client, &client->unnamed_scan, (const char *)client->unnamed,
					client->unnamed_sql);
		}
	}
	if (!cursor.bad && pgm_relay_tracks(client)) {
		if (pgm_prepared_is_ours(name, strlen(name)))
			return pgm_front_unknown(front, PGM_EXPECT_BIND, prefix, name);
		/* PREPARE may have made it, of a text that sets something */
		if (*name)
			client->server->touched |= PGM_SCAN_UNKNOWN;
	}
	return pgm_front_request(front, PGM_EXPECT_BIND, 0);
}

enum pgm_next pgm_front_describe(struct pgm_front *front)
{
	struct pgm_client *client = front->client;
	struct pgm_cursor cursor = pgm_cursor_over(front->body, front->length);
	uint8_t kind = pgm_cursor_u8(&cursor);
	const char *name = pgm_cursor_string(&cursor, NULL);
	if (!cursor.bad && kind == 'S' && pgm_relay_wait_for_name(client, *name ? name : NULL))
		return PGM_NEXT_WAIT;
	if (!cursor.bad && kind == 'S' && pgm_relay_tracks(client)) {
		struct pgm_prepared *prepared = *name ? pgm_names_get(&client->names, name) : NULL;
		if (prepared) {
			if (pgm_relay_wait_for_statement(client, prepared))
				return PGM_NEXT_WAIT;
			if (!pgm_front_ensure(front, prepared) ||
			    !pgm_front_send_renamed(front, 1, name, prepared->name) ||
			    !pgm_front_expect(front, PGM_EXPECT_DESCRIBE, 0))
				return pgm_front_out_of_memory(front);
			return PGM_NEXT_MESSAGE;
		}
		if (pgm_prepared_is_ours(name, strlen(name)))
			return pgm_front_unknown(front, PGM_EXPECT_DESCRIBE, 1, name);
		if (!*name && !pgm_front_ensure_unnamed(front))
			return pgm_front_out_of_memory(front);
	}
	return pgm_front_request(front, PGM_EXPECT_DESCRIBE, 0);
}

enum pgm_next pgm_front_close(struct pgm_front *front)
{
	struct pgm_client *client = front->client;
	struct pgm_cursor cursor = pgm_cursor_over(front->body, front->length);
	uint8_t kind = pgm_cursor_u8(&cursor);
	const char *name = pgm_cursor_string(&cursor, NULL);
	/* errors of an earlier batch may tell of the name: it must be known until then */
	if (!cursor.bad && kind == 'S' && *name && pgm_relay_behind(client) && pgm_relay_answer_first(client))
		return PGM_NEXT_WAIT;
	if (!cursor.bad && kind == 'S' && pgm_relay_tracks(client)) {
		if (!*name) {
			if (!pgm_journal_note(client, NULL))
				return pgm_front_out_of_memory(front);
			client->unnamed_id = 0;
			client->server->unnamed = 0;
		} else if (pgm_names_get(&client->names, name)) {
			return pgm_front_drop_name(front, name, PGM_EXPECT_CLOSE);
		} else if (pgm_prepared_is_ours(name, strlen(name))) {
			return pgm_front_unknown(front, PGM_EXPECT_CLOSE, 1, name);
		}
	}
	return pgm_front_request(front, PGM_EXPECT_CLOSE, 0);
}

enum pgm_next pgm_front_execute(struct pgm_front *front)
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
		return PGM_NEXT_GONE;
	char name[PGM_RELAY_NAME_BYTES];
	if (length && pgm_relay_tracks(client) && pgm_relay_runs_last(client, front->body, front->length) &&
	    pgm_relay_deallocates(client, scan, sql, length, name)) {
		if (pgm_relay_wait_for_name(client, name))
			return PGM_NEXT_WAIT;
		return pgm_front_drop_name(front, name, PGM_EXPECT_EXECUTE);
	}
	if (length)
		pgm_sample_execute(client->server, (const uint8_t *)sql, length,
				   prepared ? prepared->body_length : client->unnamed_length);
	/* which portal runs is not followed: any that was bound in this transaction may be it */
	struct pgm_expect *expected = pgm_front_expect(
		front, PGM_EXPECT_EXECUTE,
		(client->bound_flags & (PGM_SCAN_DDL | PGM_SCAN_TEMP)) == PGM_SCAN_DDL ? PGM_EXPECT_DDL : 0);
	if (!expected)
		return pgm_front_out_of_memory(front);
	if (length)
		pgm_relay_note_call(client, expected, scan, sql, length);
	if (client->bound_flags & PGM_FRONT_BARRIERS || client->copies) {
		/* what follows depends on its answer, which only comes when it is asked for */
		client->barrier = true;
		pgm_front_pass(front);
		pgm_relay_flush(client);
		return PGM_NEXT_MESSAGE;
	}
	return pgm_front_pass(front);
}
