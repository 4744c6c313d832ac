/*
 * DEALLOCATE in SQL of what was prepared by the protocol, and the answers that no server is asked for.
 */
#include "pool/relay.h"

#include <string.h>
#include <strings.h>

#define SPACE "\t\n\v\f\r "

size_t pgm_relay_local_answer(enum pgm_expect_kind kind, uint8_t *out, size_t size)
{
	struct pgm_writer writer = pgm_writer_over(out, size);
	if (kind == PGM_EXPECT_EXECUTE) {
		pgm_wire_command_complete(&writer, "DEALLOCATE");
	} else {
		pgm_writer_begin(&writer,
				 kind == PGM_EXPECT_PARSE ? PGM_BE_PARSE_COMPLETE : PGM_BE_CLOSE_COMPLETE);
		pgm_writer_end(&writer);
	}
	return pgm_writer_length(&writer);
}

static bool is_of_name(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c == '$' || (unsigned char)c >= 0x80;
}

/* The next name or keyword from *at on; its length, 0 where something else comes. */
static size_t next_word(const char **at, const char **word)
{
	*word = *at + strspn(*at, SPACE);
	size_t length = 0;
	if (**word == '"') {
		const char *end = strchr(*word + 1, '"');
		length = end && end[1] != '"' ? (size_t)(end + 1 - *word) : 0;
	} else if (!(**word >= '0' && **word <= '9') && **word != '$') {
		while (is_of_name((*word)[length]))
			length++;
	}
	*at = *word + length;
	return length;
}

/* The name in DEALLOCATE [PREPARE] name, where that is all of the text. */
static bool read_deallocate(const char *sql, size_t length, char *name)
{
	char text[128]; /* what came over the wire need not end with a NUL */
	const char *at = text, *word;
	if (length >= sizeof(text))
		return false;
	memcpy(text, sql, length);
	text[length] = '\0';
	if (next_word(&at, &word) != 10 || strncasecmp(word, "deallocate", 10) != 0)
		return false;
	length = next_word(&at, &word);
	if (length == 7 && strncasecmp(word, "prepare", 7) == 0)
		length = next_word(&at, &word);
	at += strspn(at, SPACE ";");
	bool quoted = *word == '"';
	if (length < (quoted ? 3 : 1) || *at)
		return false;
	length -= quoted ? 2 : 0;
	if (length >= PGM_RELAY_NAME_BYTES)
		return false;
	memcpy(name, word + quoted, length);
	name[length] = '\0';
	for (char *c = name; *c && !quoted; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
	return true;
}

bool pgm_relay_runs_last(const struct pgm_client *client, const uint8_t *body, size_t length)
{
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	const char *portal = pgm_cursor_string(&cursor, NULL);
	return !cursor.bad && pgm_name_tag(portal) == client->portal_tag;
}

bool pgm_relay_deallocates(const struct pgm_client *client, const struct pgm_scan *scan, const char *sql,
			   size_t length, char *name)
{
	/* in a failed transaction the server refuses it */
	return scan->flags & PGM_SCAN_PREPARES &&
	       !(scan->flags & (PGM_SCAN_MULTI | PGM_SCAN_DEALLOCATE_ALL)) &&
	       (client->names.count || client->journal_count) &&
	       (client->server->expect_count || client->server->status != 'E') &&
	       read_deallocate(sql, length, name) &&
	       /* one that an earlier batch took away may be there again, and is to be waited for */
	       (pgm_names_get(&client->names, name) || pgm_journal_unsure(client, name));
}

bool pgm_relay_deallocate(struct pgm_client *client, const char *name)
{
	uint8_t answer[64];
	struct pgm_writer writer = pgm_writer_over(answer, sizeof(answer));
	client->portal = NULL;
	client->unnamed_id = 0;
	pgm_journal_clear(client);
	pgm_names_remove(&client->names, name);
	pgm_wire_command_complete(&writer, "DEALLOCATE");
	pgm_wire_ready(&writer, client->server->status);
	return pgm_client_send(client, answer, pgm_writer_length(&writer));
}

bool pgm_relay_parse_without_server(struct pgm_client *client, const uint8_t *body, size_t length)
{
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	size_t sql_length;
	const char *name = pgm_cursor_string(&cursor, NULL);
	const uint8_t *rest = cursor.at;
	pgm_cursor_string(&cursor, &sql_length);
	if (cursor.bad || !*name || !pgm_relay_tracks(client) || pgm_names_get(&client->names, name) ||
	    client->names.bytes + length > PGM_CLIENT_NAMES_MAX)
		return false;
	struct pgm_prepared *prepared =
		pgm_prepared_of(client->share->pool, rest, (size_t)(cursor.end - rest), sql_length,
				client->shaping, client->standard_strings);
	if (!prepared || !prepared->proven || prepared->scan.flags & PGM_SCAN_SEQUENCE_READ ||
	    !pgm_names_put(&client->names, name, prepared)) {
		pgm_prepared_drop(prepared);
		return false;
	}
	uint8_t answer[PGM_RELAY_LOCAL_BYTES];
	client->share->stats.client_parses++;
	return pgm_client_send(client, answer,
			       pgm_relay_local_answer(PGM_EXPECT_PARSE, answer, sizeof(answer)));
}
