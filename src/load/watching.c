#include "load/watching.h"

#include "pg/conninfo.h"

#include <math.h>
#include <string.h>

#define CONSOLE "pgbouncer" /* the database that is no database, of PgBouncer and of ours */

/* The database as the target's conninfo names it: so the console's lists do. */
static const char *database_of(struct pgm_arena *arena, const struct pgm_conn_options *connection)
{
	struct pgm_error ignored = {0};
	struct pgm_conninfo info;
	if (connection->dbname)
		return connection->dbname;
	if (connection->conninfo && pgm_conninfo_resolve(connection->conninfo, arena, &info, &ignored))
		return info.dbname;
	return NULL;
}

static struct pgm_load_watch *start_one(struct pgm_arena *arena, const struct pgm_load_watched *watched,
					struct pgm_load_target *target)
{
	struct pgm_load_watch_options options = {.server = *watched->connection};
	struct pgm_conn_options console = *watched->connection;
	options.database = database_of(arena, watched->connection);
	if (watched->server)
		options.server = *watched->server;
	console.dbname = CONSOLE;
	if (watched->console)
		options.console = watched->console;
	else if (watched->pooled)
		options.console = &console;
	return pgm_load_watch_start(arena, &options, target);
}

void pgm_load_watching_start(struct pgm_arena *arena, const struct pgm_load_watched *watched, size_t count,
			     struct pgm_load_result *result, struct pgm_load_watching *watching)
{
	*watching = (struct pgm_load_watching){.began_ms = INFINITY};
	for (size_t i = 0; i < count && i < result->target_count; i++)
		watching->watches[watching->count++] = start_one(arena, &watched[i], &result->targets[i]);
}

void pgm_load_watching_begin(struct pgm_load_watching *watching, double clock_ms)
{
	watching->began_ms = clock_ms;
}

void pgm_load_watching_take(struct pgm_load_watching *watching, size_t target)
{
	for (size_t i = 0; i < watching->count; i++)
		pgm_load_watch_take(watching->watches[i], watching->began_ms, i == target);
}

/* The kind of wait, or work, that most of the active backends were in but their own work. */
static const struct pgm_load_wait *longest_queue(const struct pgm_load_sample *sample)
{
	for (size_t i = 0; i < sample->wait_count; i++)
		if (strcmp(sample->waits[i].type, "CPU") != 0 && strcmp(sample->waits[i].type, "Client") != 0)
			return &sample->waits[i];
	return NULL;
}

char *pgm_load_watching_text(struct pgm_arena *arena, const struct pgm_load_watching *watching, size_t target)
{
	const struct pgm_load_sample *sample =
		target < watching->count ? pgm_load_watch_last(watching->watches[target]) : NULL;
	char *text = pgm_strdup(arena, "");
	if (!sample)
		return text;
	double blocks = sample->blocks_hit + sample->blocks_read;
	if (sample->has_server && sample->blocks_hit >= 0 && sample->blocks_read >= 0 && blocks > 0)
		text = pgm_sprintf(arena, "hits %.1f %%", sample->blocks_hit / blocks * 100);
	const struct pgm_load_wait *wait = sample->has_server ? longest_queue(sample) : NULL;
	if (wait)
		text = pgm_sprintf(arena, "%s%s%.0f wait for %s", text, *text ? ", " : "", wait->backends,
				   wait->type);
	if (sample->has_pool)
		text = pgm_sprintf(arena, "%s%spool queue %u", text, *text ? ", " : "",
				   sample->clients_waiting);
	return text;
}

void pgm_load_watching_end(struct pgm_load_watching *watching, struct pgm_load_result *result)
{
	for (size_t i = 0; i < watching->count && i < result->target_count; i++)
		pgm_load_watch_end(watching->watches[i], &result->targets[i]);
	watching->count = 0;
}
