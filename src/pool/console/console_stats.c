/*
 * SHOW STATS and its kin. Totals are since the start; averages are of the last whole stats_period and of what
 * passed of this one, as PgBouncer's.
 */
#include "pool/console/console_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void add(struct pgm_pool_stats *into, const struct pgm_pool_stats *from)
{
	into->queries += from->queries;
	into->transactions += from->transactions;
	into->errors += from->errors;
	into->bytes_in += from->bytes_in;
	into->bytes_out += from->bytes_out;
	into->query_us += from->query_us;
	into->transaction_us += from->transaction_us;
	into->wait_us += from->wait_us;
	into->client_parses += from->client_parses;
	into->server_parses += from->server_parses;
	into->binds += from->binds;
	into->server_assignments += from->server_assignments;
}

/* What each pool has done, by its index; count: how many pools there were. malloc'ed. */
static struct pgm_pool_stats *collect(struct pgm_pooler *pooler, size_t *count)
{
	pthread_mutex_lock(&pooler->lock);
	*count = pooler->pool_count;
	pthread_mutex_unlock(&pooler->lock);
	struct pgm_pool_stats *all = calloc(*count + 1, sizeof(*all));
	for (unsigned w = 0; all && w < pooler->worker_count; w++) {
		struct pgm_worker *worker = pooler->workers[w];
		pthread_mutex_lock(&worker->lock);
		for (size_t i = 0; i < worker->share_capacity && i < *count; i++)
			if (worker->shares[i])
				add(&all[i], &worker->shares[i]->stats);
		pthread_mutex_unlock(&worker->lock);
	}
	return all;
}

/* ---- averages ---- */

struct average {
	uint64_t assignments, transactions, queries, in, out, transaction_us, query_us, wait_us;
	uint64_t client_parses, server_parses, binds;
};

static uint64_t rate(uint64_t now, uint64_t before, uint64_t elapsed_us)
{
	return (uint64_t)((double)(now - before) * 1e6 / (double)elapsed_us);
}

static struct average average_of(const struct pgm_pool_stats *now, const struct pgm_pool_stats *before,
				 uint64_t elapsed_us)
{
	struct average average = {0};
	if (!elapsed_us)
		return average;
	uint64_t queries = now->queries - before->queries;
	uint64_t transactions = now->transactions - before->transactions;
	uint64_t assignments = now->server_assignments - before->server_assignments;
	average.assignments = rate(now->server_assignments, before->server_assignments, elapsed_us);
	average.transactions = rate(now->transactions, before->transactions, elapsed_us);
	average.queries = rate(now->queries, before->queries, elapsed_us);
	average.in = rate(now->bytes_in, before->bytes_in, elapsed_us);
	average.out = rate(now->bytes_out, before->bytes_out, elapsed_us);
	average.transaction_us =
		transactions ? (now->transaction_us - before->transaction_us) / transactions : 0;
	average.query_us = queries ? (now->query_us - before->query_us) / queries : 0;
	average.wait_us = assignments ? (now->wait_us - before->wait_us) / assignments : 0;
	average.client_parses = rate(now->client_parses, before->client_parses, elapsed_us);
	average.server_parses = rate(now->server_parses, before->server_parses, elapsed_us);
	average.binds = rate(now->binds, before->binds, elapsed_us);
	return average;
}

/* A pool that is newer than the periods had done nothing then. */
static const struct pgm_pool_stats *before_of(const struct pgm_console *console, size_t pool)
{
	static const struct pgm_pool_stats nothing;
	return pool < console->period_count ? &console->periods[pool].older : &nothing;
}

static void end_period(struct pgm_pooler *pooler, const struct pgm_pool_stats *all, size_t count,
		       uint64_t now)
{
	struct pgm_console *console = pooler->console;
	if (count > console->period_count) {
		struct pgm_console_period *grown = realloc(console->periods, count * sizeof(*grown));
		if (!grown)
			return;
		memset(grown + console->period_count, 0, (count - console->period_count) * sizeof(*grown));
		console->periods = grown;
		console->period_count = count;
	}
	struct pgm_pool_stats total = {0}, before = {0};
	for (size_t i = 0; i < count; i++) {
		struct pgm_console_period *period = &console->periods[i];
		period->older = period->newer;
		period->newer = all[i];
		add(&before, &period->older);
		add(&total, &period->newer);
	}
	console->period_begin_us = console->period_last_us;
	console->period_last_us = now;
	if (!pooler->config->log_stats)
		return;
	struct average average = average_of(&total, &before, now - console->period_begin_us);
	pgm_log(PGM_LOG_NOTICE,
		"stats: %" PRIu64 " xacts/s, %" PRIu64 " queries/s, %" PRIu64 " client parses/s, %" PRIu64
		" server parses/s, %" PRIu64 " binds/s, in %" PRIu64 " B/s, out %" PRIu64
		" B/s, xact %" PRIu64 " us, query %" PRIu64 " us, wait %" PRIu64 " us",
		average.transactions, average.queries, average.client_parses, average.server_parses,
		average.binds, average.in, average.out, average.transaction_us, average.query_us,
		average.wait_us);
}

void pgm_console_stats_tick(struct pgm_pooler *pooler)
{
	struct pgm_console *console = pooler->console;
	uint64_t now = pgm_loop_clock_us(), period_us = (uint64_t)pooler->config->stats_period_ms * 1000;
	if (!period_us || now - console->period_last_us < period_us)
		return;
	size_t count;
	struct pgm_pool_stats *all = collect(pooler, &count);
	if (all)
		end_period(pooler, all, count, now);
	free(all);
}

/* ---- the tables ---- */

enum part { TOTALS = 1, AVERAGES = 2 };

static void totals_cells(struct pgm_answer *answer, const struct pgm_pool_stats *stats)
{
	const uint64_t cells[] = {stats->server_assignments, stats->transactions, stats->queries,
				  stats->bytes_in,	     stats->bytes_out,	  stats->transaction_us,
				  stats->query_us,	     stats->wait_us,	  stats->client_parses,
				  stats->server_parses,	     stats->binds};
	for (size_t i = 0; i < sizeof(cells) / sizeof(*cells); i++)
		pgm_answer_format(answer, "%" PRIu64, cells[i]);
}

static void average_cells(struct pgm_answer *answer, const struct average *average)
{
	const uint64_t cells[] = {
		average->assignments,	average->transactions,	 average->queries,  average->in,
		average->out,		average->transaction_us, average->query_us, average->wait_us,
		average->client_parses, average->server_parses,	 average->binds};
	for (size_t i = 0; i < sizeof(cells) / sizeof(*cells); i++)
		pgm_answer_format(answer, "%" PRIu64, cells[i]);
}

static void database_row(struct pgm_answer *answer, const char *name, const struct pgm_pool_stats *now,
			 const struct pgm_pool_stats *before, uint64_t elapsed_us, unsigned parts)
{
	struct average average = average_of(now, before, elapsed_us);
	pgm_answer_row(answer);
	pgm_answer_text(answer, name);
	if (parts & TOTALS)
		totals_cells(answer, now);
	if (parts & AVERAGES)
		average_cells(answer, &average);
}

static void show(struct pgm_pooler *pooler, struct pgm_console_request *request, const char *columns,
		 unsigned parts)
{
	static const struct pgm_pool_stats nothing;
	struct pgm_answer *answer = &request->answer;
	size_t count, pool_count;
	struct pgm_pool_stats *all = collect(pooler, &count);
	struct pgm_pool **pools = pgm_console_pools(pooler, &pool_count);
	uint64_t elapsed_us = pgm_loop_clock_us() - pooler->console->period_begin_us;
	bool told_own = false;
	pgm_answer_columns(answer, columns);
	for (size_t i = 0; all && pools && i < pool_count;) {
		const struct pgm_database *database = pools[i]->database;
		struct pgm_pool_stats now = {0}, before = {0};
		for (; i < pool_count && pools[i]->database == database; i++) {
			if (pools[i]->index >= count) /* made just now */
				continue;
			add(&now, &all[pools[i]->index]);
			add(&before, before_of(pooler->console, pools[i]->index));
		}
		if (!told_own && strcmp(database->name, PGM_CONSOLE_NAME) > 0) {
			told_own = true;
			database_row(answer, PGM_CONSOLE_NAME, &nothing, &nothing, elapsed_us, parts);
		}
		database_row(answer, database->name, &now, &before, elapsed_us, parts);
	}
	if (!told_own)
		database_row(answer, PGM_CONSOLE_NAME, &nothing, &nothing, elapsed_us, parts);
	answer->failed |= !all || !pools;
	free(all);
	free(pools);
	pgm_answer_done(answer, "SHOW");
}

void pgm_console_show_stats(struct pgm_pooler *pooler, struct pgm_console_request *request,
			    const char *argument)
{
	(void)argument;
	show(pooler, request,
	     "database total_server_assignment_count:n total_xact_count:n total_query_count:n "
	     "total_received:n "
	     "total_sent:n total_xact_time:n total_query_time:n total_wait_time:n total_client_parse_count:n "
	     "total_server_parse_count:n total_bind_count:n avg_server_assignment_count:n avg_xact_count:n "
	     "avg_query_count:n avg_recv:n avg_sent:n avg_xact_time:n avg_query_time:n avg_wait_time:n "
	     "avg_client_parse_count:n avg_server_parse_count:n avg_bind_count:n",
	     TOTALS | AVERAGES);
}

void pgm_console_show_stats_totals(struct pgm_pooler *pooler, struct pgm_console_request *request,
				   const char *argument)
{
	(void)argument;
	show(pooler, request,
	     "database server_assignment_count:n xact_count:n query_count:n bytes_received:n bytes_sent:n "
	     "xact_time:n "
	     "query_time:n wait_time:n client_parse_count:n server_parse_count:n bind_count:n",
	     TOTALS);
}

void pgm_console_show_stats_averages(struct pgm_pooler *pooler, struct pgm_console_request *request,
				     const char *argument)
{
	(void)argument;
	show(pooler, request,
	     "database server_assignment_count:n xact_count:n query_count:n bytes_received:n bytes_sent:n "
	     "xact_time:n "
	     "query_time:n wait_time:n avg_client_parse_count:n avg_server_parse_count:n avg_bind_count:n",
	     AVERAGES);
}

void pgm_console_show_totals(struct pgm_pooler *pooler, struct pgm_console_request *request,
			     const char *argument)
{
	static const char *const names[] = {"server_assignment_count",
					    "xact_count",
					    "query_count",
					    "client_bytes",
					    "server_bytes",
					    "xact_time",
					    "query_time",
					    "wait_time",
					    "ps_client_parse_count",
					    "ps_server_parse_count",
					    "ps_bind_count"};
	struct pgm_answer *answer = &request->answer;
	struct pgm_pool_stats now = {0}, before = {0};
	size_t count;
	struct pgm_pool_stats *all = collect(pooler, &count);
	(void)argument;
	for (size_t i = 0; all && i < count; i++) {
		add(&now, &all[i]);
		add(&before, before_of(pooler->console, i));
	}
	struct average average =
		average_of(&now, &before, pgm_loop_clock_us() - pooler->console->period_begin_us);
	const uint64_t totals[] = {now.server_assignments, now.transactions,   now.queries,  now.bytes_in,
				   now.bytes_out,	   now.transaction_us, now.query_us, now.wait_us,
				   now.client_parses,	   now.server_parses,  now.binds};
	const uint64_t averages[] = {
		average.assignments,   average.transactions,   average.queries,	 average.in,
		average.out,	       average.transaction_us, average.query_us, average.wait_us,
		average.client_parses, average.server_parses,  average.binds};
	pgm_answer_columns(answer, "name value:n");
	for (size_t i = 0; i < 2 * sizeof(names) / sizeof(*names); i++) {
		size_t at = i % (sizeof(names) / sizeof(*names));
		pgm_answer_row(answer);
		pgm_answer_format(answer, "%s_%s", i == at ? "total" : "avg", names[at]);
		pgm_answer_format(answer, "%" PRIu64, i == at ? totals[at] : averages[at]);
	}
	answer->failed |= !all;
	free(all);
	pgm_answer_done(answer, "SHOW");
}
