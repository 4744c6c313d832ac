/*
 * Query: a text that is run at once.
 */
#include "pool/frontend.h"

#include <string.h>

/* DEALLOCATE of a name of the protocol as a simple query; it ends a batch that has no Sync yet, as any does.
 */
static enum pgm_next deallocate(struct pgm_front *front, const char *name)
{
	static const uint8_t sync[] = {PGM_FE_SYNC, 0, 0, 0, 4};
	struct pgm_client *client = front->client;
	if (!client->server->unsynced)
		return pgm_relay_deallocate(client, name) ? PGM_NEXT_MESSAGE : PGM_NEXT_GONE;
	client->unnamed_id = 0;
	enum pgm_next next = pgm_front_drop_name(front, name, PGM_EXPECT_EXECUTE);
	if (next != PGM_NEXT_MESSAGE)
		return next;
	pgm_relay_raw(client, sync, sizeof(sync));
	return pgm_front_expect_sync(front) ? PGM_NEXT_MESSAGE : pgm_front_out_of_memory(front);
}

enum pgm_next pgm_front_query(struct pgm_front *front)
{
	struct pgm_client *client = front->client;
	struct pgm_server *server = client->server;
	struct pgm_scan scan = {.flags = PGM_SCAN_UNKNOWN |
					 PGM_SCAN_CUSTOM_SETTING}; /* too long to be looked at */
	const char *sql = (const char *)front->body;
	size_t sql_length = front->there == front->total ? strnlen(sql, front->length) : 0;
	if (client->worker->pooler->config->disable_pqexec) {
		pgm_client_end(client, "08P01", "PQexec disallowed");
		return PGM_NEXT_GONE;
	}
	if (sql_length)
		pgm_scan_sql(sql, sql_length, client->standard_strings, &scan);
	else if (front->there == front->total)
		scan.flags = 0;
	if (pgm_relay_forbids(client, &scan))
		return PGM_NEXT_GONE;
	if (pgm_relay_settle_sequences(client, &scan))
		return PGM_NEXT_WAIT;
	/* an error before it, and no Sync between, and it is passed over */
	if (server->unsynced && pgm_relay_answer_first(client))
		return PGM_NEXT_WAIT;
	/* DEALLOCATE may name a statement that a request before it makes or uses */
	if (scan.flags & PGM_SCAN_PREPARES && pgm_relay_tracks(client) && pgm_relay_answer_first(client))
		return PGM_NEXT_WAIT;
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
	struct pgm_expect *expected = pgm_front_expect(
		front, PGM_EXPECT_QUERY,
		(scan.flags & (PGM_SCAN_DDL | PGM_SCAN_TEMP)) == PGM_SCAN_DDL ? PGM_EXPECT_DDL : 0);
	if (!expected)
		return pgm_front_out_of_memory(front);
	server->unsynced = false;
	client->batch_position = pgm_relay_next_position(server);
	pgm_relay_note_call(client, expected, &scan, sql, sql_length);
	if (scan.flags & PGM_FRONT_BARRIERS)
		client->barrier = true;
	return pgm_front_pass(front);
}
