/*
 * What a text or a call is, and may do to the session of the server that gets it: seen from without.
 */
#include "pool/relay.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void keep_custom_name(void *data, const char *name)
{
	struct pgm_client *client = data;
	size_t length = 0, count = 0;
	for (const char *old = client->custom_settings; old && *old; old += strlen(old) + 1, count++) {
		if (strcmp(old, name) == 0)
			return;
		length = (size_t)(old + strlen(old) + 1 - client->custom_settings);
	}
	size_t size = strlen(name) + 1;
	char *grown = count < 256 ? realloc(client->custom_settings, length + size + 1) : NULL;
	if (!grown) {
		client->pins |= PGM_PIN_SETTING;
		return;
	}
	memcpy(grown + length, name, size);
	grown[length + size] = '\0';
	client->custom_settings = grown;
}

void pgm_relay_touch(struct pgm_client *client, const struct pgm_scan *scan, const char *sql, size_t length)
{
	client->server->touched |= scan->flags;
	if (scan->flags & PGM_SCAN_SETS) {
		char scratch[1024];
		pgm_scan_custom_settings(sql, length, client->standard_strings, scratch, sizeof(scratch),
					 keep_custom_name, client);
	}
	if (scan->flags & PGM_SCAN_LOADS &&
	    !pgm_scan_hidden_settings(sql, length, client->standard_strings, keep_custom_name, client))
		client->server->touched |= PGM_SCAN_CUSTOM_SETTING;
}

static bool mentions(const char *sql, size_t length, const char *word)
{
	size_t size = strlen(word);
	for (size_t i = 0; i + size <= length; i++)
		if (strncasecmp(sql + i, word, size) == 0)
			return true;
	return false;
}

void pgm_relay_touch_session(struct pgm_client *client, const struct pgm_scan *scan, const char *sql,
			     size_t length)
{
	if (scan->flags & PGM_SCAN_SETS && pgm_pairs_count(client->base) &&
	    (mentions(sql, length, "reset") || mentions(sql, length, "discard") ||
	     mentions(sql, length, "default")))
		client->server->touched |= PGM_SCAN_SETS;
}

/* Functions of large objects, which hold nothing beyond a transaction. (pg_proc.dat) */
static bool is_large_object(uint32_t function)
{
	static const uint16_t known[] = {715, 764, 952, 953,  954,  955,  956,
					 957, 958, 964, 1004, 3170, 3171, 3172};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (function == known[i])
			return true;
	return false;
}

/* Any other function may be set_config() or pg_advisory_lock(), with arguments that are not looked at. */
void pgm_relay_touch_by_call(struct pgm_client *client, const uint8_t *body, size_t length)
{
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	uint32_t function = pgm_cursor_u32(&cursor);
	if (pgm_relay_tracks(client) && !is_large_object(function))
		client->server->touched |= PGM_SCAN_UNKNOWN | PGM_SCAN_CUSTOM_SETTING;
}

void pgm_relay_note_call(struct pgm_client *client, struct pgm_expect *expected, const struct pgm_scan *scan,
			 const char *sql, size_t length)
{
	struct pgm_worker *worker = client->worker;
	struct pgm_server *server = client->server;
	if (scan->fingerprint == client->last_fingerprint)
		client->burst++;
	else
		client->burst = 1;
	client->last_fingerprint = scan->fingerprint;
	if (!worker->profile || !length)
		return;
	expected->entry =
		pgm_profile_find(worker->profile, scan->fingerprint, server->share->pool->database->name,
				 client->user->name, sql, length, client->standard_strings);
	expected->fingerprint = scan->fingerprint;
	expected->burst = client->burst; /* more may have been asked for when it is answered */
	expected->generation = pgm_profile_generation(worker->profile);
}
