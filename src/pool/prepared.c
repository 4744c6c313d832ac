/*
 * What a request does to the names of prepared statements, and how it is undone when the server passes over
 * the request because one before it failed.
 */
#include "pool/relay.h"

#include "pool/profile/slowlog.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOKED_AT_MAX 1024 /* requests of earlier batches; behind more of them one waits in any case */

static void free_entry(struct pgm_journal *entry)
{
	free(entry->name);
	free(entry->unnamed);
	pgm_prepared_drop(entry->old);
}

void pgm_journal_clear(struct pgm_client *client)
{
	for (size_t i = 0; i < client->journal_count; i++)
		free_entry(&client->journal[i]);
	client->journal_count = client->journal_bytes = 0;
	if (client->journal_capacity > 64) {
		free(client->journal);
		client->journal = NULL;
		client->journal_capacity = 0;
	}
}

bool pgm_journal_note(struct pgm_client *client, const char *name)
{
	struct pgm_server *server = client->server;
	if (server->expect_count == 0)
		pgm_journal_clear(client);
	/* the first request of a batch is undone only by its own failure, which pgm_relay_parse_failed() sees
	 * to */
	if (!name && server->expect_count == 0)
		return true;
	if (client->journal_count == client->journal_capacity) {
		size_t wanted = client->journal_capacity ? client->journal_capacity * 2 : 8;
		struct pgm_journal *grown = realloc(client->journal, wanted * sizeof(*grown));
		if (!grown)
			return false;
		client->journal = grown;
		client->journal_capacity = wanted;
	}
	struct pgm_journal *entry = &client->journal[client->journal_count++];
	*entry = (struct pgm_journal){.position = pgm_relay_next_position(server)};
	if (name) {
		struct pgm_prepared *old = pgm_names_get(&client->names, name);
		entry->old = old ? pgm_prepared_hold(old) : NULL;
		entry->name = strdup(name);
		return entry->name;
	}
	entry->unnamed_id = client->unnamed_id;
	entry->server_unnamed = server->unnamed;
	entry->unnamed_scan = client->unnamed_scan;
	entry->unnamed_length = client->unnamed_id ? client->unnamed_length : 0;
	entry->unnamed_sql = client->unnamed_sql;
	entry->unnamed = malloc(entry->unnamed_length + 1);
	client->journal_bytes += entry->unnamed_length;
	if (entry->unnamed && entry->unnamed_length)
		memcpy(entry->unnamed, client->unnamed, entry->unnamed_length);
	return entry->unnamed;
}

/* Positions only grow (and wrap), so that "at or after" is a signed difference. */
static bool is_before(uint32_t position, uint32_t other)
{
	return (int32_t)(position - other) < 0;
}

/* The next change of the unnamed statement from a position on, NULL: none. */
static struct pgm_journal *next_unnamed(struct pgm_client *client, uint32_t position)
{
	for (size_t i = 0; i < client->journal_count; i++)
		if (!client->journal[i].name && !is_before(client->journal[i].position, position))
			return &client->journal[i];
	return NULL;
}

static void undo_unnamed(struct pgm_client *client, struct pgm_journal *entry, struct pgm_journal *later)
{
	if (entry->overtaken)
		return;
	if (later) {
		/* it stands, but what was before it is now something else */
		free(later->unnamed);
		later->unnamed = entry->unnamed;
		later->unnamed_length = entry->unnamed_length;
		later->unnamed_sql = entry->unnamed_sql;
		later->unnamed_id = entry->unnamed_id;
		later->unnamed_scan = entry->unnamed_scan;
		later->server_unnamed = entry->server_unnamed;
	} else {
		free(client->unnamed);
		client->unnamed = entry->unnamed;
		client->unnamed_length = client->unnamed_capacity = entry->unnamed_length;
		client->unnamed_sql = entry->unnamed_sql;
		client->unnamed_id = entry->unnamed_id;
		client->unnamed_scan = entry->unnamed_scan;
		if (client->server)
			client->server->unnamed = entry->server_unnamed;
	}
	entry->unnamed = NULL;
}

static void undo(struct pgm_client *client, struct pgm_journal *entry, uint32_t until)
{
	if (!entry->name) {
		undo_unnamed(client, entry, next_unnamed(client, until));
		return;
	}
	/* the statement of that name may go; one that was bound from another name stays bound */
	if (client->portal == pgm_names_get(&client->names, entry->name))
		client->portal = NULL;
	if (!entry->old)
		pgm_names_remove(&client->names, entry->name);
	else if (pgm_names_put(&client->names, entry->name, entry->old))
		entry->old = NULL;
}

void pgm_journal_undo(struct pgm_client *client, uint32_t from, uint32_t until)
{
	size_t first = 0, end;
	while (first < client->journal_count && is_before(client->journal[first].position, from))
		first++;
	for (end = first; end < client->journal_count && is_before(client->journal[end].position, until);)
		end++;
	for (size_t i = end; i > first; i--) {
		undo(client, &client->journal[i - 1], until);
		free_entry(&client->journal[i - 1]);
	}
	if (first == end)
		return;
	memmove(client->journal + first, client->journal + end,
		(client->journal_count - end) * sizeof(*client->journal));
	client->journal_count -= end - first;
}

void pgm_journal_unnamed_dropped(struct pgm_client *client, uint32_t position, bool own)
{
	struct pgm_journal *later = next_unnamed(client, position);
	*(later ? &later->server_unnamed : &client->server->unnamed) = 0;
	if (own)
		*(later ? &later->unnamed_id : &client->unnamed_id) = 0;
}

void pgm_journal_overtake(struct pgm_client *client)
{
	for (size_t i = 0; i < client->journal_count; i++)
		client->journal[i].overtaken = true;
}

bool pgm_relay_behind(const struct pgm_client *client)
{
	const struct pgm_server *server = client->server;
	return server->expect_count && is_before(server->expect_head, client->batch_position);
}

/* The first entry whose request is not answered yet: entries are in the order of their requests. */
static size_t first_unanswered(const struct pgm_client *client)
{
	size_t low = 0, high = client->journal_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (is_before(client->journal[middle].position, client->server->expect_head))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool pgm_journal_unsure(const struct pgm_client *client, const char *name)
{
	if (!client->server->expect_count)
		return false;
	size_t first = first_unanswered(client);
	for (size_t i = first; i < client->journal_count; i++) {
		const struct pgm_journal *entry = &client->journal[i];
		if (!is_before(entry->position, client->batch_position))
			return false;
		if (i - first == LOOKED_AT_MAX ||
		    (name && entry->name ? strcmp(entry->name, name) == 0 : name == entry->name))
			return true;
	}
	return false;
}

/* Whether it prepares or closes a statement of ours, which it holds. */
static bool is_change(const struct pgm_expect *expect)
{
	return expect->prepared && !(expect->flags & (PGM_EXPECT_LOCAL | PGM_EXPECT_DUPLICATE)) &&
	       (expect->kind == PGM_EXPECT_PARSE || expect->kind == PGM_EXPECT_CLOSE);
}

bool pgm_relay_unsure_of(const struct pgm_client *client, const struct pgm_prepared *prepared)
{
	const struct pgm_server *server = client->server;
	if (!server->changes)
		return false;
	for (uint32_t i = 0; i < server->expect_count; i++) {
		uint32_t position = server->expect_head + i;
		if (!is_before(position, client->batch_position))
			return false;
		if (i == LOOKED_AT_MAX)
			return true;
		const struct pgm_expect *expect = &server->expects[position & (server->expect_capacity - 1)];
		if (expect->prepared == prepared && is_change(expect))
			return true;
	}
	return false;
}

void pgm_relay_changes(struct pgm_server *server, struct pgm_expect *expect, struct pgm_prepared *prepared)
{
	expect->prepared = pgm_prepared_hold(prepared);
	server->changes++;
}

void pgm_relay_forget(struct pgm_server *server, struct pgm_expect *expect)
{
	if (is_change(expect)) {
		server->changes--;
		pgm_prepared_drop(expect->prepared);
	}
	expect->prepared = NULL;
}

void pgm_relay_passed_over(struct pgm_server *server, struct pgm_expect *expect)
{
	if (expect->kind == PGM_EXPECT_EXECUTE && expect->flags & PGM_EXPECT_HIDDEN) {
		/* DISCARD SEQUENCES was not done: whose values there are, nobody knows */
		server->sequence_client = UINT64_MAX;
		server->sequences_mixed = true;
	}
	if (is_change(expect) && expect->kind == PGM_EXPECT_PARSE)
		pgm_holding_remove(&server->holding, expect->prepared);
	else if (is_change(expect) && !pgm_holding_add(&server->holding, expect->prepared))
		server->close_soon = true;
	pgm_relay_forget(server, expect);
}

void pgm_relay_answered(struct pgm_server *server, struct pgm_expect *expect)
{
	/* a name of ours was free after all: what it stands for now is not what we think */
	if (expect->kind == PGM_EXPECT_PARSE && expect->flags & PGM_EXPECT_DUPLICATE)
		server->close_soon = true;
	else if (expect->kind == PGM_EXPECT_PARSE && expect->prepared)
		expect->prepared->proven = true;
	pgm_relay_forget(server, expect);
}

static bool copy(uint8_t *out, size_t size, size_t *length, const void *bytes, size_t count)
{
	if (count > size - *length)
		return false;
	memcpy(out + *length, bytes, count);
	*length += count;
	return true;
}

size_t pgm_relay_rename(const struct pgm_client *client, uint32_t name_tag, const uint8_t *message,
			size_t length, uint8_t *out, size_t size)
{
	size_t made = 0, at = 0;
	bool renamed = false, fits = true;
	while (at < length && fits) {
		const uint8_t *quote = memchr(message + at, '"', length - at);
		size_t until = quote ? (size_t)(quote - message) + 1 : length;
		fits = copy(out, size, &made, message + at, until - at);
		at = until;
		const uint8_t *end = quote ? memchr(message + at, '"', length - at) : NULL;
		size_t name_length = end ? (size_t)(end - message) - at : 0;
		if (!end || !pgm_prepared_is_ours((const char *)message + at, name_length))
			continue;
		const char *name =
			pgm_names_of(&client->names, (const char *)message + at, name_length, name_tag);
		if (!name)
			continue;
		fits = fits && copy(out, size, &made, name, strlen(name));
		at += name_length;
		renamed = true;
	}
	if (!renamed || !fits)
		return 0;
	pgm_wire_put32(out + 1, (uint32_t)(made - 1));
	return made;
}

/* Without log_values the text is that of the first call of its kind, and no literal of it is shown. */
static void log_slow(const struct pgm_client *client, const struct pgm_expect *expect,
		     const struct pgm_profile_call *call)
{
	const struct pgm_pool *pool = client->share->pool;
	const char *application =
		client->settings ? pgm_pairs_get(client->settings, "application_name") : NULL;
	char line[2048];
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	struct pgm_slow_query query = {
		.unix_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000,
		.database = pool->database->name,
		.user = client->user->name,
		.client = client->peer,
		.application = application,
		.fingerprint = expect->fingerprint,
		.wait_us = call->wait_us,
		.server_us = call->server_us,
		.rows = call->rows,
		.bytes_out = call->bytes_out,
		.sqlstate = call->sqlstate,
	};
	query.sql = pgm_profile_text(expect->entry, &query.sql_length, &query.standard_strings);
	if (client->worker->pooler->config->log_values && call->sql) {
		query.values = true;
		query.sql = call->sql;
		query.sql_length = call->sql_length;
		query.bind = call->bind;
		query.bind_length = call->bind_length;
		query.parameter_types = call->parameter_types;
		query.parameter_type_count = call->parameter_type_count;
	}
	if (client->worker->pooler->config->log_format == PGM_LOG_FORMAT_JSON) {
		size_t length = pgm_slowlog_json(&query, line, sizeof(line) - 1);
		line[length] = '\n';
		pgm_log_line(PGM_LOG_NOTICE, line, length + 1);
	} else {
		pgm_slowlog_text(&query, line, sizeof(line));
		pgm_log(PGM_LOG_NOTICE, "%s", line);
	}
}

void pgm_relay_profile(struct pgm_client *client, struct pgm_server *server, struct pgm_expect *expect,
		       uint64_t elapsed_us, bool failed, const char *sqlstate)
{
	struct pgm_profile_call call = {
		.wait_us = client->wait_us,
		.server_us = elapsed_us,
		.rows = server->rows,
		.bytes_out = server->bytes_since_mark,
		.failed = failed,
		.client_burst = expect->burst,
	};
	if (failed && sqlstate)
		strncpy(call.sqlstate, sqlstate, sizeof(call.sqlstate) - 1);
	client->wait_us = 0;
	pgm_sample_take(server, &call);
	if (expect->generation != pgm_profile_generation(server->share->worker->profile))
		return;
	pgm_profile_add(server->share->worker->profile, expect->entry, &call);
	int64_t slow_ms = client->worker->pooler->config->slow_query_ms;
	if (slow_ms > 0 && elapsed_us >= (uint64_t)slow_ms * 1000)
		log_slow(client, expect, &call);
}
