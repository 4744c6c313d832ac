/*
 * What PgBouncer does not have: the statements and their times, who keeps a server and why, and who held the
 * servers that others wait for. And the profile's file.
 */
#include "pool/console/console_parts.h"
#include "pool/profile/profile.h"
#include "pool/profile/queries.h"

#include <stdio.h>
#include <stdlib.h>

#define SAVE_PERIOD_US ((uint64_t)60 * 1000000)

static struct pgm_profile_snapshot *merge_all(struct pgm_pooler *pooler, struct pgm_profile_merge *merge)
{
	for (unsigned w = 0; w < pooler->worker_count; w++) {
		struct pgm_worker *worker = pooler->workers[w];
		pthread_mutex_lock(&worker->lock);
		if (worker->profile)
			pgm_profile_merge_add(merge, worker->profile);
		pthread_mutex_unlock(&worker->lock);
	}
	return pgm_profile_merge_end(merge);
}

struct pgm_profile_snapshot *pgm_console_profile(struct pgm_pooler *pooler, struct pgm_arena *arena,
						 bool values)
{
	return merge_all(pooler, pgm_profile_merge_begin(arena, values));
}

struct pgm_profile_snapshot *pgm_console_profile_of(struct pgm_pooler *pooler, struct pgm_arena *arena,
						    uint64_t fingerprint)
{
	struct pgm_profile_merge *merge = pgm_profile_merge_begin(arena, pooler->config->profile_values);
	pgm_profile_merge_only(merge, fingerprint);
	return merge_all(pooler, merge);
}

void pgm_console_save_tick(struct pgm_pooler *pooler, bool now)
{
	struct pgm_console *console = pooler->console;
	const struct pgm_pool_config *config = pooler->config;
	uint64_t at_us = pgm_loop_clock_us();
	if (!config->profile_file || !*config->profile_file || !config->profile ||
	    (!now && at_us - console->saved_us < SAVE_PERIOD_US))
		return;
	struct pgm_error err = {0};
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	console->saved_us = at_us;
	if (!pgm_profile_save(pgm_console_profile(pooler, arena, config->profile_values),
			      config->profile_file, config->profile_values, &err))
		pgm_log(PGM_LOG_ERROR, "the profile is not saved: %s", err.message);
}

void pgm_console_show_queries(struct pgm_pooler *pooler, struct pgm_console_request *request,
			      const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const struct pgm_profile_snapshot *all = pgm_console_profile(pooler, arena, false);
	char columns[512] = "";
	size_t length = 0;
	(void)argument;
	for (size_t i = 0; i < PGM_QUERIES_COLUMNS; i++) {
		const char *name = pgm_queries_columns[i];
		bool text = i < 3 || i == PGM_QUERIES_COLUMNS - 1;
		length += (size_t)snprintf(columns + length, sizeof(columns) - length, "%s%s%s", i ? " " : "",
					   name, text ? "" : ":n");
	}
	pgm_answer_columns(answer, columns);
	for (size_t i = 0; i < all->row_count; i++) {
		const char *cells[PGM_QUERIES_COLUMNS];
		pgm_queries_cells(arena, all->rows[i], cells);
		pgm_answer_row(answer);
		for (size_t c = 0; c < PGM_QUERIES_COLUMNS; c++)
			pgm_answer_text(answer, cells[c]);
	}
	pgm_answer_done(answer, "SHOW");
}

static void us_cell(struct pgm_answer *answer, uint64_t us)
{
	pgm_answer_format(answer, "%.3f", (double)us / 1000);
}

/* Total, percentiles, and the longest. */
static void histogram_cells(struct pgm_answer *answer, const struct pgm_histogram *histogram)
{
	static const double percents[] = {50, 95, 99};
	us_cell(answer, histogram->sum_us);
	for (size_t i = 0; i < sizeof(percents) / sizeof(*percents); i++)
		us_cell(answer, pgm_histogram_percentile_us(histogram, percents[i]));
	us_cell(answer, histogram->max_us);
}

void pgm_console_show_transactions(struct pgm_pooler *pooler, struct pgm_console_request *request,
				   const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_profile_merge *merge = pgm_profile_merge_begin(arena, false);
	(void)argument;
	pgm_profile_merge_transactions(merge);
	const struct pgm_profile_snapshot *all = merge_all(pooler, merge);
	pgm_answer_columns(answer, "database user transactions:n total_ms:n p50_ms:n p95_ms:n p99_ms:n "
				   "max_ms:n idle_total_ms:n idle_p50_ms:n idle_p95_ms:n idle_p99_ms:n "
				   "idle_max_ms:n");
	for (size_t i = 0; i < all->transaction_count; i++) {
		const struct pgm_profile_transactions *item = &all->transactions[i];
		pgm_answer_row(answer);
		pgm_answer_text(answer, item->database);
		pgm_answer_text(answer, item->user);
		pgm_answer_number(answer, (int64_t)item->total.count);
		histogram_cells(answer, &item->total);
		histogram_cells(answer, &item->idle);
	}
	pgm_answer_done(answer, "SHOW");
}

/* ---- who keeps a server ---- */

static void ms_cell(struct pgm_answer *answer, uint64_t now, uint64_t since_us)
{
	pgm_answer_format(answer, "%.3f", since_us && now > since_us ? (double)(now - since_us) / 1000 : 0.0);
}

static const char *application_of(const struct pgm_client *client)
{
	const char *name = client->settings ? pgm_pairs_get(client->settings, "application_name") : NULL;
	return name ? name : "";
}

static void pinned_row(struct pgm_answer *answer, const struct pgm_client *client, uint64_t now)
{
	char words[256];
	pgm_answer_row(answer);
	pgm_answer_number(answer, (int64_t)client->id);
	pgm_answer_text(answer, client->share->pool->database->name);
	pgm_answer_text(answer, client->user->name);
	pgm_answer_text(answer, client->peer);
	pgm_answer_text(answer, application_of(client));
	pgm_answer_number(answer, client->server ? (int64_t)client->server->pid : 0);
	ms_cell(answer, now, client->pinned_us);
	pgm_answer_text(answer, pgm_pin_words(client->pins, words, sizeof(words)));
}

/* In session mode everybody keeps a server, and that is no news. */
void pgm_console_show_pinned(struct pgm_pooler *pooler, struct pgm_console_request *request,
			     const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	uint64_t now = pgm_loop_clock_us();
	(void)argument;
	pgm_answer_columns(
		answer, "client_id:q database user addr application_name server_pid:i pinned_ms:n reasons");
	for (unsigned w = 0; w < pooler->worker_count; w++) {
		struct pgm_client *client;
		pthread_mutex_lock(&pooler->workers[w]->lock);
		pgm_list_each(&pooler->workers[w]->clients, client, struct pgm_client,
			      link) if (client->share && client->pins && client->state < PGM_CLIENT_CLOSING &&
					client->share->pool->mode != PGM_POOL_SESSION)
			pinned_row(answer, client, now);
		pthread_mutex_unlock(&pooler->workers[w]->lock);
	}
	pgm_answer_done(answer, "SHOW");
}

/* ---- who waits for whom ---- */

static const char *holder_state(const struct pgm_server *server)
{
	const struct pgm_client *client = server->client;
	if (!client)
		return "cleaning up";
	if (server->job != PGM_JOB_NONE)
		return "preparing";
	if (server->expect_count)
		return "active";
	if (server->status != 'I')
		return "idle in transaction";
	return client->pins & PGM_PIN_SESSION ? "session" : client->pins ? "pinned" : "idle";
}

static const char *text_of(const struct pgm_profile_snapshot *all, struct pgm_arena *arena,
			   uint64_t fingerprint)
{
	const char *cells[PGM_QUERIES_COLUMNS];
	for (size_t i = 0; fingerprint && i < all->row_count; i++)
		if (all->rows[i]->fingerprint == fingerprint && all->rows[i]->database) {
			pgm_queries_cells(arena, all->rows[i], cells);
			return cells[PGM_QUERIES_COLUMNS - 1];
		}
	return NULL;
}

struct waits {
	struct pgm_answer *answer;
	const struct pgm_profile_snapshot *all;
	struct pgm_arena *arena;
	uint64_t now;
};

static void queue_cells(struct waits *waits, const struct pgm_pool *pool, uint64_t oldest_us)
{
	pgm_answer_row(waits->answer);
	pgm_answer_text(waits->answer, pool->database->name);
	pgm_answer_text(waits->answer, pool->user);
	pgm_answer_number(waits->answer, atomic_load(&pool->waiting));
	ms_cell(waits->answer, waits->now, oldest_us);
}

static void holder_row(struct waits *waits, const struct pgm_server *server, uint64_t oldest_us)
{
	struct pgm_answer *answer = waits->answer;
	const struct pgm_client *client = server->client;
	queue_cells(waits, server->share->pool, oldest_us);
	if (client)
		pgm_answer_number(answer, (int64_t)client->id);
	else
		pgm_answer_text(answer, NULL);
	pgm_answer_text(answer, client ? client->peer : NULL);
	pgm_answer_text(answer, client ? application_of(client) : NULL);
	pgm_answer_text(answer, holder_state(server));
	ms_cell(answer, waits->now, server->linked_us);
	pgm_answer_number(answer, (int64_t)server->pid);
	uint64_t fingerprint = client ? client->last_fingerprint : 0;
	if (fingerprint)
		pgm_answer_format(answer, "%016llx", (unsigned long long)fingerprint);
	else
		pgm_answer_text(answer, NULL);
	pgm_answer_text(answer, text_of(waits->all, waits->arena, fingerprint));
}

static uint64_t oldest_wait(const struct pgm_pooler *pooler, const struct pgm_pool *pool)
{
	uint64_t oldest = 0;
	for (unsigned w = 0; w < pooler->worker_count; w++) {
		uint64_t at = atomic_load(&pool->at[w].oldest_wait_us);
		if (at && (!oldest || at < oldest))
			oldest = at;
	}
	return oldest;
}

static void pool_waits(struct waits *waits, struct pgm_pooler *pooler, struct pgm_pool *pool)
{
	uint64_t oldest_us = oldest_wait(pooler, pool);
	size_t holders = 0;
	for (unsigned w = 0; w < pooler->worker_count; w++) {
		struct pgm_worker *worker = pooler->workers[w];
		struct pgm_server *server;
		pthread_mutex_lock(&worker->lock);
		const struct pgm_share *share =
			pool->index < worker->share_capacity ? worker->shares[pool->index] : NULL;
		if (share)
			pgm_list_each(&share->busy, server, struct pgm_server, link)
			{
				holder_row(waits, server, oldest_us);
				holders++;
			}
		pthread_mutex_unlock(&worker->lock);
	}
	if (holders)
		return;
	char why[PGM_POOL_EXPLAIN_BYTES];
	pgm_pool_explain_wait(pooler, pool, why, sizeof(why));
	queue_cells(waits, pool, oldest_us);
	for (int i = 0; i < 8; i++)
		pgm_answer_text(waits->answer, i == 3 ? why : NULL); /* in the place of holder_state */
}

void pgm_console_show_waits(struct pgm_pooler *pooler, struct pgm_console_request *request,
			    const char *argument)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct waits waits = {&request->answer, pgm_console_profile(pooler, arena, false), arena,
			      pgm_loop_clock_us()};
	size_t count;
	struct pgm_pool **pools = pgm_console_pools(pooler, &count);
	(void)argument;
	pgm_answer_columns(
		&request->answer,
		"database user waiting:i oldest_wait_ms:n holder_id:q holder_addr holder_application_name "
		"holder_state held_ms:n server_pid:i fingerprint query");
	for (size_t i = 0; pools && i < count; i++)
		if (atomic_load(&pools[i]->waiting) > 0)
			pool_waits(&waits, pooler, pools[i]);
	request->answer.failed |= !pools;
	free(pools);
	pgm_answer_done(&request->answer, "SHOW");
}
