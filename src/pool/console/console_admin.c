/*
 * Commands that change something, and those that wait until it is so. The control thread changes pools and
 * connections with all workers' locks held.
 */
#include "pool/console/console_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- all shares, under the locks ---- */

static void lock_all(struct pgm_pooler *pooler)
{
	pgm_pooler_lock_all(pooler);
	uint64_t now = pgm_loop_clock_us();
	for (unsigned w = 0; w < pooler->worker_count; w++)
		pooler->workers[w]->loop.now_us = now;
}

typedef void each_share(struct pgm_share *share, void *data);

static void all_shares(struct pgm_pooler *pooler, each_share *each, void *data)
{
	for (unsigned w = 0; w < pooler->worker_count; w++)
		for (size_t i = 0; i < pooler->workers[w]->share_capacity; i++)
			if (pooler->workers[w]->shares[i])
				each(pooler->workers[w]->shares[i], data);
}

static bool is_paused(const struct pgm_pooler *pooler, const struct pgm_database *database)
{
	return atomic_load(&pooler->paused) || atomic_load(&database->paused);
}

/* Servers of the database (NULL: of all that are paused), on their way from worker to worker included. */
static int count_servers(struct pgm_pooler *pooler, const struct pgm_database *database)
{
	int count = 0;
	pthread_mutex_lock(&pooler->lock);
	for (size_t i = 0; i < pooler->pool_count; i++) {
		struct pgm_pool *pool = pooler->pools[i];
		if (database ? pool->database == database : is_paused(pooler, pool->database))
			count += atomic_load(&pool->servers);
	}
	pthread_mutex_unlock(&pooler->lock);
	return count;
}

static void close_list(struct pgm_list *list, const char *reason)
{
	struct pgm_server *server;
	pgm_list_each(list, server, struct pgm_server, link) if (!server->client)
		pgm_server_close(server, reason);
}

static void close_unused(struct pgm_share *share, void *data)
{
	if (!is_paused(data, share->pool->database))
		return;
	close_list(&share->idle, "pause mode");
	close_list(&share->logging_in, "pause mode");
}

static void serve(struct pgm_share *share, void *data)
{
	(void)data;
	pgm_share_serve(share);
}

static void run_clients(struct pgm_pooler *pooler)
{
	for (unsigned w = 0; w < pooler->worker_count; w++) {
		struct pgm_client *client;
		pooler->workers[w]->suspended = false;
		/* one that goes on may end others; those that are left out go on with their next event */
		pgm_list_each(&pooler->workers[w]->clients, client, struct pgm_client, link)
		{
			struct pgm_link *next = next_;
			pgm_client_run(client);
			if (next != &pooler->workers[w]->clients.head && !next->next)
				break;
		}
	}
}

void pgm_console_resume(struct pgm_pooler *pooler)
{
	int suspended = PGM_POOLER_SUSPENDED;
	lock_all(pooler);
	pooler->console->suspender = 0;
	atomic_store(&pooler->paused, false);
	if (atomic_compare_exchange_strong(&pooler->state, &suspended, PGM_POOLER_RUNNING)) {
		for (unsigned w = 0; w < pooler->worker_count; w++)
			pgm_worker_accept(pooler->workers[w], true);
		run_clients(pooler);
	}
	all_shares(pooler, serve, NULL);
	pgm_pooler_unlock_all(pooler);
}

/* ---- which database ---- */

/* False: answered with an error. *database NULL where none was named. */
static bool find_database(struct pgm_pooler *pooler, struct pgm_console_request *request, const char *verb,
			  const char *name, struct pgm_database **database)
{
	*database = NULL;
	if (!*name) {
		pgm_log(PGM_LOG_NOTICE, "%s command issued", verb);
		return true;
	}
	pgm_log(PGM_LOG_NOTICE, "%s '%s' command issued", verb, name);
	if (pgm_console_is(name))
		pgm_answer_error(&request->answer, "42809", NULL, "cannot %s admin db: %s", verb, name);
	else if (!(*database = pgm_pooler_database(pooler, name)))
		pgm_answer_error(&request->answer, "3D000", NULL, "no such database: %s", name);
	return *database;
}

static int count_paused(struct pgm_pooler *pooler)
{
	int count = 0;
	pthread_mutex_lock(&pooler->lock);
	for (size_t i = 0; i < pooler->database_count; i++)
		count += atomic_load(&pooler->databases[i]->paused);
	pthread_mutex_unlock(&pooler->lock);
	return count;
}

static void set_paused(struct pgm_pooler *pooler, struct pgm_database *database, bool paused)
{
	pthread_mutex_lock(&pooler->lock);
	for (size_t i = 0; i < pooler->database_count; i++)
		if (!database || pooler->databases[i] == database)
			atomic_store(&pooler->databases[i]->paused, paused);
	pthread_mutex_unlock(&pooler->lock);
}

static bool is_stopped(struct pgm_pooler *pooler, struct pgm_console_request *request)
{
	if (!atomic_load(&pooler->paused) && atomic_load(&pooler->state) != PGM_POOLER_SUSPENDED)
		return false;
	pgm_answer_error(&request->answer, "55000", NULL, "already suspended/paused");
	return true;
}

/* ---- the commands ---- */

void pgm_console_pause(struct pgm_pooler *pooler, struct pgm_console_request *request, const char *argument)
{
	struct pgm_database *database;
	if (is_stopped(pooler, request) || !find_database(pooler, request, "PAUSE", argument, &database))
		return;
	if (database)
		atomic_store(&database->paused, true);
	else
		atomic_store(&pooler->paused, true);
	request->verb = "PAUSE";
	request->database = database;
	request->wait = PGM_CONSOLE_WAIT_PAUSE;
}

void pgm_console_resume_command(struct pgm_pooler *pooler, struct pgm_console_request *request,
				const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	struct pgm_database *database;
	int state = atomic_load(&pooler->state);
	if (!find_database(pooler, request, "RESUME", argument, &database))
		return;
	if (database && !atomic_load(&database->paused)) {
		pgm_answer_error(answer, "55000", NULL, "database %s is not paused", argument);
		return;
	}
	if (!database && state != PGM_POOLER_RUNNING && state != PGM_POOLER_SUSPENDED) {
		pgm_answer_error(answer, "55000", NULL, "pooler is shutting down");
		return;
	}
	bool stopped = atomic_load(&pooler->paused) || state == PGM_POOLER_SUSPENDED;
	if (!database && !stopped && !count_paused(pooler)) {
		pgm_answer_error(answer, "55000", NULL, "pooler is not paused/suspended");
		return;
	}
	/* where KILL or PAUSE <db> stopped them one by one, RESUME without a name means them all */
	if (database || !stopped)
		set_paused(pooler, database, false);
	if (database) {
		lock_all(pooler);
		all_shares(pooler, serve, NULL);
		pgm_pooler_unlock_all(pooler);
	} else {
		pgm_console_resume(pooler);
	}
	pgm_answer_done(answer, "RESUME");
}

static void set_disabled(struct pgm_pooler *pooler, struct pgm_console_request *request, const char *verb,
			 const char *name, bool disabled)
{
	struct pgm_database *database;
	if (!*name) {
		pgm_answer_error(&request->answer, "42601", NULL, "a database is required");
		return;
	}
	if (!find_database(pooler, request, verb, name, &database))
		return;
	atomic_store(&database->disabled, disabled);
	pgm_answer_done(&request->answer, verb);
}

void pgm_console_disable(struct pgm_pooler *pooler, struct pgm_console_request *request, const char *argument)
{
	set_disabled(pooler, request, "DISABLE", argument, true);
}

void pgm_console_enable(struct pgm_pooler *pooler, struct pgm_console_request *request, const char *argument)
{
	set_disabled(pooler, request, "ENABLE", argument, false);
}

/* Idle servers are closed by their workers' next tick, the others when they are released. */
void pgm_console_reconnect(struct pgm_pooler *pooler, struct pgm_console_request *request,
			   const char *argument)
{
	struct pgm_database *database;
	if (!find_database(pooler, request, "RECONNECT", argument, &database))
		return;
	pthread_mutex_lock(&pooler->lock);
	for (size_t i = 0; i < pooler->database_count; i++)
		if (!database || pooler->databases[i] == database)
			atomic_fetch_add(&pooler->databases[i]->reconnect, 1);
	pthread_mutex_unlock(&pooler->lock);
	pgm_answer_done(&request->answer, "RECONNECT");
}

static void kill_servers(struct pgm_share *share, void *data)
{
	if (data && share->pool->database != data)
		return;
	close_list(&share->idle, "admin forced disconnect");
	close_list(&share->logging_in, "admin forced disconnect");
	close_list(&share->busy, "admin forced disconnect");
}

void pgm_console_kill(struct pgm_pooler *pooler, struct pgm_console_request *request, const char *argument)
{
	struct pgm_database *database;
	if (is_stopped(pooler, request) || !find_database(pooler, request, "KILL", argument, &database))
		return;
	set_paused(pooler, database, true);
	lock_all(pooler);
	/* its pools are paused, so that one client's end gives no server to another */
	for (unsigned w = 0; w < pooler->worker_count; w++) {
		struct pgm_client *client;
		pgm_list_each(&pooler->workers[w]->clients, client, struct pgm_client,
			      link) if (client->share &&
					(!database || client->share->pool->database == database))
			pgm_client_end(client, "57P01", "admin forced disconnect");
	}
	all_shares(pooler, kill_servers, database);
	pgm_pooler_unlock_all(pooler);
	pgm_answer_done(&request->answer, "KILL");
}

void pgm_console_kill_client(struct pgm_pooler *pooler, struct pgm_console_request *request,
			     const char *argument)
{
	char *end;
	errno = 0;
	unsigned long long id = strtoull(argument, &end, 10);
	if (!*argument || *end || errno || id == 0) {
		pgm_answer_error(&request->answer, "22023", NULL, "invalid client pointer supplied");
		return;
	}
	struct pgm_client *client, *found = NULL;
	lock_all(pooler);
	for (unsigned w = 0; w < pooler->worker_count && !found; w++)
		pgm_list_each(&pooler->workers[w]->clients, client, struct pgm_client,
			      link) if (client->id == id && client->state < PGM_CLIENT_CLOSING) found =
			client;
	if (found) {
		pgm_log(PGM_LOG_NOTICE, "KILL_CLIENT %llu command issued", id);
		pgm_answer_done(&request->answer, "KILL_CLIENT");
		pgm_client_end(found, "57P01", "admin forced disconnect");
	} else {
		pgm_answer_error(&request->answer, "42704", NULL, "client not found");
	}
	pgm_pooler_unlock_all(pooler);
}

void pgm_console_suspend(struct pgm_pooler *pooler, struct pgm_console_request *request, const char *argument)
{
	int running = PGM_POOLER_RUNNING;
	(void)argument;
	if (is_stopped(pooler, request))
		return;
	if (count_paused(pooler)) {
		pgm_answer_error(&request->answer, "55000", NULL, "cannot suspend with paused databases");
		return;
	}
	if (!atomic_compare_exchange_strong(&pooler->state, &running, PGM_POOLER_SUSPENDED)) {
		pgm_answer_error(&request->answer, "55000", NULL, "pooler is shutting down");
		return;
	}
	pgm_log(PGM_LOG_NOTICE, "SUSPEND command issued");
	lock_all(pooler);
	atomic_store(&pooler->paused, true);
	for (unsigned w = 0; w < pooler->worker_count; w++) {
		pooler->workers[w]->suspended = true;
		pgm_worker_accept(pooler->workers[w], false);
	}
	pgm_pooler_unlock_all(pooler);
	pooler->console->suspender = request->client_id;
	request->verb = "SUSPEND";
	request->wait = PGM_CONSOLE_WAIT_SUSPEND;
}

void pgm_console_reload(struct pgm_pooler *pooler, struct pgm_console_request *request, const char *argument)
{
	struct pgm_error err = {0};
	(void)argument;
	pgm_log(PGM_LOG_NOTICE, "RELOAD command issued");
	if (pgm_pooler_reload(pooler, &err)) {
		pgm_answer_done(&request->answer, "RELOAD");
		return;
	}
	pgm_log(PGM_LOG_ERROR, "the configuration is not reloaded, the old one stays: %s", err.message);
	pgm_answer_error(&request->answer, "F0000", "The old configuration stays in force.",
			 "RELOAD failed: %s", err.message);
}

void pgm_console_set(struct pgm_pooler *pooler, struct pgm_console_request *request, const char *key,
		     const char *value)
{
	struct pgm_error err = {0};
	struct pgm_pool_config *config = pgm_pool_config_with(pooler->config, key, value, &err);
	if (!config) {
		pgm_answer_error(&request->answer, "22023", *err.hint ? err.hint : NULL, "SET failed: %s",
				 err.message);
		return;
	}
	pgm_pooler_use(pooler, config);
	pgm_log(PGM_LOG_NOTICE, "SET %s command issued", key);
	char tag[PGM_CONSOLE_WORD_MAX + PGM_CONSOLE_VALUE_MAX + 8];
	snprintf(tag, sizeof(tag), "SET %s=%s", key, value);
	pgm_answer_done(&request->answer, tag);
}

void pgm_console_shutdown(struct pgm_pooler *pooler, struct pgm_console_request *request,
			  const char *argument)
{
	if (!*argument) {
		pgm_log(PGM_LOG_NOTICE, "SHUTDOWN command issued");
		atomic_store(&pooler->state, PGM_POOLER_ENDING);
		request->verb = "SHUTDOWN";
		request->wait = PGM_CONSOLE_WAIT_END; /* the connection's end is the answer */
		pgm_notify_service("STOPPING=1");
		return;
	}
	bool clients = strcasecmp(argument, "WAIT_FOR_CLIENTS") == 0;
	if (!clients && strcasecmp(argument, "WAIT_FOR_SERVERS") != 0) {
		pgm_answer_error(&request->answer, "42601", NULL, "invalid command '%.500s', use SHOW HELP;",
				 request->sql);
		return;
	}
	pgm_log(PGM_LOG_NOTICE, "SHUTDOWN %s command issued",
		clients ? "WAIT_FOR_CLIENTS" : "WAIT_FOR_SERVERS");
	if (!clients)
		atomic_store(&pooler->paused, true);
	atomic_store(&pooler->state, clients ? PGM_POOLER_WAIT_CLIENTS : PGM_POOLER_WAIT_SERVERS);
	pgm_notify_service("STOPPING=1");
	pgm_answer_done(&request->answer, "SHUTDOWN");
}

void pgm_console_wait_close(struct pgm_pooler *pooler, struct pgm_console_request *request,
			    const char *argument)
{
	struct pgm_database *database;
	if (!find_database(pooler, request, "WAIT_CLOSE", argument, &database))
		return;
	request->verb = "WAIT_CLOSE";
	request->database = database;
	request->wait = PGM_CONSOLE_WAIT_CLOSE;
}

/* ---- those that wait ---- */

bool pgm_console_must_close(struct pgm_server *server)
{
	return server->close_soon || pgm_server_outdated(server);
}

struct closing {
	const struct pgm_database *database;
	int count;
};

static void count_closing(struct pgm_share *share, void *data)
{
	struct closing *closing = data;
	struct pgm_server *server;
	if (closing->database && share->pool->database != closing->database)
		return;
	struct pgm_list *const lists[] = {&share->idle, &share->busy, &share->logging_in};
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		pgm_list_each(lists[i], server, struct pgm_server, link) closing->count +=
			pgm_console_must_close(server);
}

static bool all_closed(struct pgm_pooler *pooler, const struct pgm_database *database)
{
	struct closing closing = {.database = database};
	lock_all(pooler);
	all_shares(pooler, count_closing, &closing);
	pgm_pooler_unlock_all(pooler);
	return closing.count == 0;
}

/* Whether a connection holds a part of a message, or bytes that were not taken yet. */
static bool is_half_way(const struct pgm_client *client)
{
	const struct pgm_server *server = client->server;
	return client->state < PGM_CLIENT_WELCOME || client->stream_left ||
	       pgm_stream_waiting(&client->stream) ||
	       (server && (server->skip || server->carry_length || pgm_stream_waiting(&server->stream)));
}

static bool all_flushed(struct pgm_pooler *pooler, bool force)
{
	bool flushed = true;
	lock_all(pooler);
	for (unsigned w = 0; w < pooler->worker_count; w++) {
		struct pgm_client *client;
		pgm_list_each(&pooler->workers[w]->clients, client, struct pgm_client, link)
		{
			if (client->state == PGM_CLIENT_CONSOLE || !is_half_way(client))
				continue;
			if (force)
				pgm_client_close(client, "suspend_timeout");
			else
				flushed = false;
		}
	}
	pgm_pooler_unlock_all(pooler);
	return flushed;
}

static bool is_over(struct pgm_pooler *pooler, const struct pgm_console_request *request)
{
	int64_t limit_ms = pooler->config->suspend_timeout_ms;
	uint64_t waited_us = pgm_loop_clock_us() - request->since_us;
	switch (request->wait) {
	case PGM_CONSOLE_WAIT_NOTHING:
		return true;
	case PGM_CONSOLE_WAIT_PAUSE:
		return count_servers(pooler, request->database) == 0;
	case PGM_CONSOLE_WAIT_CLOSE:
		return all_closed(pooler, request->database);
	case PGM_CONSOLE_WAIT_SUSPEND:
		return all_flushed(pooler, limit_ms > 0 && waited_us > (uint64_t)limit_ms * 1000);
	case PGM_CONSOLE_WAIT_END:
		break;
	}
	return false;
}

/* SHUTDOWN WAIT_FOR_SERVERS, and SIGINT: who waits for a server will not get one. */
static void refuse_waiting(struct pgm_pooler *pooler)
{
	lock_all(pooler);
	for (unsigned w = 0; w < pooler->worker_count; w++) {
		struct pgm_client *client;
		pgm_list_each(&pooler->workers[w]->clients, client, struct pgm_client,
			      link) if (client->waiting.next)
			pgm_client_end(client, "57P01", "server shutting down");
	}
	pgm_pooler_unlock_all(pooler);
}

void pgm_console_look(struct pgm_pooler *pooler, void (*post)(struct pgm_console_request *request))
{
	struct pgm_console *console = pooler->console;
	int state = atomic_load(&pooler->state);
	if (console->suspender && state != PGM_POOLER_SUSPENDED) { /* a signal ended it: clients go on */
		console->suspender = 0;
		lock_all(pooler);
		atomic_store(&pooler->paused, state == PGM_POOLER_WAIT_SERVERS);
		run_clients(pooler);
		all_shares(pooler, serve, NULL);
		pgm_pooler_unlock_all(pooler);
	}
	if (state == PGM_POOLER_WAIT_SERVERS)
		refuse_waiting(pooler);
	/* a suspended pooler keeps its servers */
	if (state != PGM_POOLER_SUSPENDED && count_servers(pooler, NULL)) {
		lock_all(pooler);
		all_shares(pooler, close_unused, pooler);
		pgm_pooler_unlock_all(pooler);
	}
	for (struct pgm_console_request **at = &console->waiting; *at;) {
		struct pgm_console_request *request = *at;
		if (!is_over(pooler, request)) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		pgm_answer_done(&request->answer, request->verb);
		post(request);
	}
}

void pgm_console_give_up(struct pgm_pooler *pooler, struct pgm_console_request *waiting)
{
	bool undone = atomic_load(&pooler->state) == PGM_POOLER_RUNNING ||
		      atomic_load(&pooler->state) == PGM_POOLER_SUSPENDED;
	if (waiting->wait == PGM_CONSOLE_WAIT_PAUSE && waiting->database)
		set_paused(pooler, waiting->database, false);
	if (undone &&
	    (waiting->wait == PGM_CONSOLE_WAIT_SUSPEND || waiting->wait == PGM_CONSOLE_WAIT_PAUSE)) {
		if (waiting->database) {
			lock_all(pooler);
			all_shares(pooler, serve, NULL);
			pgm_pooler_unlock_all(pooler);
		} else {
			pgm_console_resume(pooler);
		}
	}
	pgm_answer_error(&waiting->answer, "57014", NULL, "canceling %s due to user request", waiting->verb);
}
