/*
 * What a client's message must wait for before it goes to the server, and which may not go there at all.
 */
#include "pool/relay.h"
#include "pool/session.h"

void pgm_relay_flush(struct pgm_client *client)
{
	static const uint8_t flush[] = {PGM_FE_FLUSH, 0, 0, 0, 4};
	pgm_relay_raw(client, flush, sizeof(flush));
}

/* Whether what was asked before is still being answered, and what comes must wait for that. */
bool pgm_relay_answer_first(struct pgm_client *client)
{
	struct pgm_server *server = client->server;
	if (!server || !server->expect_count || server->copy_in)
		return false;
	if (server->unsynced)
		pgm_relay_flush(client);
	(void)!pgm_relay_send(client);
	client->barrier = true;
	return true;
}

enum pgm_expect_kind pgm_relay_answer_to(uint8_t type)
{
	switch (type) {
	case PGM_FE_QUERY:
		return PGM_EXPECT_QUERY;
	case PGM_FE_FUNCTION:
		return PGM_EXPECT_FUNCTION;
	case PGM_FE_PARSE:
		return PGM_EXPECT_PARSE;
	case PGM_FE_EXECUTE:
		return PGM_EXPECT_EXECUTE;
	case PGM_FE_CLOSE:
		return PGM_EXPECT_CLOSE;
	default:
		return PGM_EXPECT_BIND; /* an answer of any length, and no ReadyForQuery */
	}
}

/*
 * Whether a name must not be looked up yet: a batch before this one may fail, and then the name (NULL: the
 * unnamed statement) stands for something else.
 */
bool pgm_relay_wait_for_name(struct pgm_client *client, const char *name)
{
	return pgm_journal_unsure(client, name) && pgm_relay_answer_first(client);
}

/* The same for a text that this server was asked to prepare or to close, and may have passed over. */
bool pgm_relay_wait_for_statement(struct pgm_client *client, const struct pgm_prepared *prepared)
{
	return pgm_relay_unsure_of(client, prepared) && pgm_relay_answer_first(client);
}

/*
 * The client reads lastval() or currval(), and the last nextval() on this server was another's: that must be
 * gone first. Once somebody of the pool reads them, it must be gone before the client's own nextval(), too:
 * what that leaves cannot be told from the other's. True: it is being seen to, and the message must wait.
 */
bool pgm_relay_settle_sequences(struct pgm_client *client, const struct pgm_scan *scan)
{
	struct pgm_server *server = client->server;
	struct pgm_pool *pool = client->share->pool;
	if (!(scan->flags & (PGM_SCAN_SEQUENCE_READ | PGM_SCAN_SEQUENCE_WRITE)) || !pgm_relay_tracks(client))
		return false;
	if (scan->flags & PGM_SCAN_SEQUENCE_READ) {
		client->reads_sequences = true;
		pool->sequences_read = true;
	}
	if (!pool->sequences_read || server->status == 'E' || pgm_session_has_own_sequences(server, client))
		return false;
	/* in a transaction that fails meanwhile, ours would, too */
	if (pgm_relay_answer_first(client))
		return true;
	if (server->batch_sent) { /* no job of ours may end the transaction that a batch is */
		if (pgm_session_discard_sequences(client))
			return false;
		pgm_client_end(client, "53200", "out of memory");
		return true;
	}
	(void)!pgm_relay_send(client);
	pgm_job_start(server, PGM_JOB_SEQUENCES, "/* pgmend */ DISCARD SEQUENCES");
	return true;
}

bool pgm_relay_forbids(struct pgm_client *client, const struct pgm_scan *scan)
{
	if (client->share->pool->mode != PGM_POOL_STATEMENT || !(scan->flags & PGM_SCAN_BEGINS))
		return false;
	pgm_client_end(client, "08P01", "transaction blocks not allowed in statement pooling mode");
	return true;
}

/* What follows the Execute of a COPY must wait until the server has said that it reads data. */
void pgm_relay_look_in_session(struct pgm_client *client, const char *sql, size_t length)
{
	struct pgm_scan scan = {.flags = PGM_SCAN_COPY};
	if (sql)
		pgm_scan_sql(sql, length, client->standard_strings, &scan);
	client->copies |= scan.flags & (PGM_SCAN_COPY | PGM_SCAN_UNKNOWN);
	if (sql)
		pgm_relay_touch_session(client, &scan, sql, length);
}
