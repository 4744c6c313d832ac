/*
 * Connections, one by one. Each worker is locked while its own are listed.
 */
#include "pool/console/console_parts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

bool pgm_console_is_tested(const struct pgm_server *server)
{
	return !server->client || server->job == PGM_JOB_CHECK;
}

/* ---- texts ---- */

struct clocks {
	uint64_t now_us; /* monotonic */
	int64_t unix_us;
};

static struct clocks read_clocks(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (struct clocks){pgm_loop_clock_us(), (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000};
}

static void time_cell(struct pgm_answer *answer, const struct clocks *clocks, uint64_t at_us)
{
	char text[64];
	struct tm parts;
	time_t seconds = (time_t)((clocks->unix_us - (int64_t)(clocks->now_us - at_us)) / 1000000);
	localtime_r(&seconds, &parts);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %Z", &parts);
	pgm_answer_text(answer, at_us ? text : "");
}

struct place {
	char host[INET6_ADDRSTRLEN + 32];
	int port;
};

static void name_place(const struct sockaddr_storage *address, int pid, int port, struct place *place)
{
	place->port = port;
	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;
		inet_ntop(AF_INET, &in->sin_addr, place->host, sizeof(place->host));
		place->port = ntohs(in->sin_port);
	} else if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;
		inet_ntop(AF_INET6, &in->sin6_addr, place->host, sizeof(place->host));
		place->port = ntohs(in->sin6_port);
	} else if (pid) {
		snprintf(place->host, sizeof(place->host), "unix(%d)", pid);
	} else {
		snprintf(place->host, sizeof(place->host), "unix");
	}
}

typedef int get_name(int fd, struct sockaddr *address, socklen_t *size);

static void ask_place(get_name *get, int fd, int pid, int port, struct place *place)
{
	struct sockaddr_storage address = {.ss_family = AF_UNIX};
	socklen_t size = sizeof(address);
	if (fd < 0 || get(fd, (struct sockaddr *)&address, &size) < 0)
		address.ss_family = AF_UNIX;
	name_place(&address, pid, port, place);
}

static int peer_pid(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? (int)peer.pid : 0;
}

/* ---- rows ---- */

#define COLUMNS                                                                                             \
	"type user database replication state addr port:i local_addr local_port:i connect_time "            \
	"request_time "                                                                                     \
	"wait:i wait_us:i close_needed:i ptr link remote_pid:i tls application_name prepared_statements:i " \
	"id:i"
#define DEBUG_COLUMNS \
	COLUMNS " recv_pos:i pkt_pos:i pkt_remain:i send_pos:i send_remain:i pkt_avail:i send_avail:i"

struct list {
	struct pgm_answer *answer;
	struct pgm_pooler *pooler;
	struct clocks clocks;
	bool debug;	  /* with the columns of SHOW SOCKETS */
	bool active_only; /* and only where bytes wait */
};

struct row {
	const char *type, *user, *database, *replication, *state;
	const struct pgm_stream *stream;
	struct place remote, local;
	uint64_t connected_us, requested_us, wait_us;
	bool close_needed;
	char ptr[24], link[24];
	int pid;
	const char *application;
	size_t statements;
	uint64_t id;
	size_t recv_pos, pkt_pos, pkt_remain;
};

static void write_row(struct list *list, const struct row *row)
{
	struct pgm_answer *answer = list->answer;
	size_t unread = row->recv_pos - row->pkt_pos, unsent = pgm_stream_waiting(row->stream);
	if (list->active_only && !unread && !unsent && !row->pkt_remain)
		return;
	pgm_answer_row(answer);
	pgm_answer_text(answer, row->type);
	pgm_answer_text(answer, row->user);
	pgm_answer_text(answer, row->database);
	pgm_answer_text(answer, row->replication);
	pgm_answer_format(answer, "%s%s", list->debug ? (*row->type == 'C' ? "cl_" : "sv_") : "", row->state);
	pgm_answer_text(answer, row->remote.host);
	pgm_answer_number(answer, row->remote.port);
	pgm_answer_text(answer, row->local.host);
	pgm_answer_number(answer, row->local.port);
	time_cell(answer, &list->clocks, row->connected_us);
	time_cell(answer, &list->clocks, row->requested_us);
	pgm_answer_number(answer, (int64_t)(row->wait_us / 1000000));
	pgm_answer_number(answer, (int64_t)(row->wait_us % 1000000));
	pgm_answer_number(answer, row->close_needed);
	pgm_answer_text(answer, row->ptr);
	pgm_answer_text(answer, row->link);
	pgm_answer_number(answer, row->pid);
	if (row->stream->tls)
		pgm_answer_format(answer, "%s/%s", pgm_tls_version(row->stream->tls),
				  pgm_tls_cipher(row->stream->tls));
	else
		pgm_answer_text(answer, "");
	pgm_answer_text(answer, row->application ? row->application : "");
	pgm_answer_number(answer, (int64_t)row->statements);
	pgm_answer_number(answer, (int64_t)row->id);
	if (!list->debug)
		return;
	const size_t positions[] = {row->recv_pos, row->pkt_pos, row->pkt_remain, row->stream->out_sent, 0,
				    unread,	   unsent};
	for (size_t i = 0; i < sizeof(positions) / sizeof(*positions); i++)
		pgm_answer_number(answer, (int64_t)positions[i]);
}

static uint64_t since(const struct list *list, uint64_t at_us)
{
	return at_us && list->clocks.now_us > at_us ? list->clocks.now_us - at_us : 0;
}

static const char *replication_of(const struct pgm_client *client)
{
	if (!client || !client->replication)
		return "none";
	return client->replication_database ? "logical" : "physical";
}

static const char *client_state(const struct pgm_client *client)
{
	switch (client->state) {
	case PGM_CLIENT_WELCOME:
	case PGM_CLIENT_WAITING:
		return "waiting";
	case PGM_CLIENT_LINKED:
		return "active";
	case PGM_CLIENT_CONSOLE:
		return client->console->waits ? "active" : "idle";
	case PGM_CLIENT_CANCEL:
		return "active_cancel_req";
	default:
		return client->state < PGM_CLIENT_WELCOME ? "login" : "idle";
	}
}

static void client_row(struct list *list, const struct pgm_client *client)
{
	struct row row = {.type = "C",
			  .user = "(nouser)",
			  .database = "(nodb)",
			  .replication = replication_of(client),
			  .state = client_state(client),
			  .stream = &client->stream,
			  .connected_us = client->connected_us,
			  .requested_us = client->request_us,
			  .statements = client->names.count,
			  .id = client->id,
			  .recv_pos = client->pending_end,
			  .pkt_pos = client->pending_start,
			  .pkt_remain = client->stream_left};
	int port = (int)list->pooler->config->listen_port, fd = client->stream.source.fd;
	const struct pgm_server *server = client->server;
	if (client->state == PGM_CLIENT_CONSOLE) {
		row.user = client->console->user;
		row.database = PGM_CONSOLE_NAME;
		row.recv_pos = client->console->length;
	} else if (client->share) {
		row.user = client->user->name;
		row.database = client->share->pool->database->name;
	}
	if (client->settings)
		row.application = pgm_pairs_get(client->settings, "application_name");
	row.pid = client->stream.unix_socket ? peer_pid(fd) : 0;
	ask_place(getpeername, fd, row.pid, port, &row.remote);
	ask_place(getsockname, fd, 0, port, &row.local);
	if (client->waiting.next)
		row.wait_us = since(list, client->wait_since_us);
	else if (server && server->expect_count)
		row.wait_us = since(list, server->mark_us);
	snprintf(row.ptr, sizeof(row.ptr), "C-%llu", (unsigned long long)client->id);
	if (server)
		snprintf(row.link, sizeof(row.link), "S-%llu", (unsigned long long)server->id);
	write_row(list, &row);
}

static void server_row(struct list *list, struct pgm_server *server, const char *state)
{
	const struct pgm_client *client = server->client;
	struct row row = {.type = "S",
			  .user = server->share->pool->user,
			  .database = server->share->pool->database->name,
			  .replication = replication_of(server->client),
			  .state = state,
			  .stream = &server->stream,
			  .connected_us = server->connected_us,
			  .requested_us = server->mark_us,
			  .close_needed = pgm_console_must_close(server),
			  .statements = server->holding.count,
			  .id = server->id,
			  .recv_pos = server->carry_length,
			  .pkt_remain = server->skip,
			  .pid = (int)server->pid};
	name_place(&server->address.address, 0, server->address.port, &row.remote);
	ask_place(getsockname, server->stream.source.fd, 0, 0, &row.local);
	if (server->reports)
		row.application = pgm_pairs_get(server->reports, "application_name");
	snprintf(row.ptr, sizeof(row.ptr), "S-%llu", (unsigned long long)server->id);
	if (client)
		snprintf(row.link, sizeof(row.link), "C-%llu", (unsigned long long)client->id);
	write_row(list, &row);
}

static const char *busy_state(const struct pgm_server *server)
{
	if (!server->client && server->cancels)
		return "being_canceled";
	return pgm_console_is_tested(server) ? "tested" : "active";
}

static void server_rows(struct list *list, const struct pgm_worker *worker)
{
	const struct pgm_pool_config *config = list->pooler->config;
	struct pgm_server *server;
	for (size_t i = 0; i < worker->share_capacity; i++) {
		const struct pgm_share *share = worker->shares[i];
		if (!share)
			continue;
		pgm_list_each(&share->busy, server, struct pgm_server, link)
			server_row(list, server, busy_state(server));
		pgm_list_each(&share->idle, server, struct pgm_server, link)
		{
			uint64_t delay_us = (uint64_t)config->server_check_delay_ms * 1000;
			bool used = config->server_check_query && *config->server_check_query &&
				    since(list, server->released_us) > delay_us;
			server_row(list, server, used ? "used" : "idle");
		}
		pgm_list_each(&share->logging_in, server, struct pgm_server, link)
			server_row(list, server, list->debug ? "login" : "new");
	}
}

static void client_rows(struct list *list, const struct pgm_worker *worker)
{
	struct pgm_client *client;
	pgm_list_each(&worker->clients, client, struct pgm_client,
		      link) if ((client->state >= PGM_CLIENT_WELCOME || list->debug) &&
				client->state < PGM_CLIENT_CLOSING) client_row(list, client);
}

enum { CLIENTS = 1, SERVERS = 2, DEBUG = 4, ACTIVE_ONLY = 8 };

static void show(struct pgm_pooler *pooler, struct pgm_console_request *request, unsigned what)
{
	struct list list = {.answer = &request->answer,
			    .pooler = pooler,
			    .clocks = read_clocks(),
			    .debug = what & DEBUG,
			    .active_only = what & ACTIVE_ONLY};
	pgm_answer_columns(&request->answer, list.debug ? DEBUG_COLUMNS : COLUMNS);
	for (unsigned w = 0; w < pooler->worker_count; w++) {
		struct pgm_worker *worker = pooler->workers[w];
		pthread_mutex_lock(&worker->lock);
		if (what & CLIENTS)
			client_rows(&list, worker);
		if (what & SERVERS)
			server_rows(&list, worker);
		pthread_mutex_unlock(&worker->lock);
	}
	pgm_answer_done(&request->answer, "SHOW");
}

void pgm_console_show_clients(struct pgm_pooler *pooler, struct pgm_console_request *request,
			      const char *argument)
{
	(void)argument;
	show(pooler, request, CLIENTS);
}

void pgm_console_show_servers(struct pgm_pooler *pooler, struct pgm_console_request *request,
			      const char *argument)
{
	(void)argument;
	show(pooler, request, SERVERS);
}

void pgm_console_show_sockets(struct pgm_pooler *pooler, struct pgm_console_request *request,
			      const char *argument)
{
	(void)argument;
	show(pooler, request, CLIENTS | SERVERS | DEBUG);
}

void pgm_console_show_active_sockets(struct pgm_pooler *pooler, struct pgm_console_request *request,
				     const char *argument)
{
	(void)argument;
	show(pooler, request, CLIENTS | SERVERS | DEBUG | ACTIVE_ONLY);
}

/* ---- SHOW FDS: what they are; no key, no password and no descriptor is given away ---- */

static void fd_row(struct pgm_answer *answer, int fd, const char *task, const char *user,
		   const char *database, int link, const struct pgm_pairs *settings)
{
	static const char *const names[] = {"client_encoding", "standard_conforming_strings", "datestyle",
					    "timezone"};
	struct place place;
	bool pooler = strcmp(task, "pooler") == 0;
	ask_place(pooler ? getsockname : getpeername, fd, 0, 0, &place);
	pgm_answer_row(answer);
	pgm_answer_number(answer, fd);
	pgm_answer_text(answer, task);
	pgm_answer_text(answer, user);
	pgm_answer_text(answer, database);
	pgm_answer_text(answer, place.host);
	pgm_answer_number(answer, place.port);
	pgm_answer_text(answer, NULL); /* cancel */
	pgm_answer_number(answer, link);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		pgm_answer_text(answer, settings ? pgm_pairs_get(settings, names[i]) : NULL);
	for (int i = 0; i < 3; i++)
		pgm_answer_text(answer, NULL); /* password, scram_client_key, scram_server_key */
}

static void share_fds(struct pgm_answer *answer, const struct pgm_share *share)
{
	const struct pgm_list *const lists[] = {&share->busy, &share->idle, &share->logging_in};
	struct pgm_server *server;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		pgm_list_each(lists[i], server, struct pgm_server, link)
			fd_row(answer, server->stream.source.fd, "server", share->pool->user,
			       share->pool->database->name,
			       server->client ? server->client->stream.source.fd : 0, server->reports);
}

static void worker_fds(struct pgm_answer *answer, const struct pgm_worker *worker)
{
	struct pgm_client *client;
	pgm_list_each(&worker->clients, client, struct pgm_client,
		      link) if (client->state != PGM_CLIENT_CONSOLE && client->state < PGM_CLIENT_CLOSING)
		fd_row(answer, client->stream.source.fd, "client",
		       client->share ? client->share->pool->user : NULL,
		       client->share ? client->share->pool->database->name : NULL,
		       client->server ? client->server->stream.source.fd : 0, client->reports);
	for (size_t i = 0; i < worker->share_capacity; i++)
		if (worker->shares[i])
			share_fds(answer, worker->shares[i]);
}

void pgm_console_show_fds(struct pgm_pooler *pooler, struct pgm_console_request *request,
			  const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	(void)argument;
	pgm_answer_columns(answer,
			   "fd:i task user database addr port:i cancel:q link:i client_encoding std_strings "
			   "datestyle timezone password scram_client_key:b scram_server_key:b");
	for (size_t i = 0; i < pooler->listener_count; i++)
		if (pooler->listeners[i] >= 0)
			fd_row(answer, pooler->listeners[i], "pooler", NULL, NULL, 0, NULL);
	for (unsigned w = 0; w < pooler->worker_count; w++) {
		pthread_mutex_lock(&pooler->workers[w]->lock);
		worker_fds(answer, pooler->workers[w]);
		pthread_mutex_unlock(&pooler->workers[w]->lock);
	}
	pgm_answer_done(answer, "SHOW");
}
