#include "pool/background.h"

#include "pg/conn.h"
#include "pool/client.h"
#include "util/buf.h"

#include <netdb.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define SESSIONS_MAX 32 /* of auth_query, one a database */

enum task_kind { TASK_SECRET, TASK_RESOLVE };

struct task {
	struct task *next;
	enum task_kind kind;
	struct pgm_worker *worker;
	uint64_t client_id;
	struct pgm_database *database;
	char *user;
	/* what the task needs of the configuration, which may be another when it is run */
	char *auth_user, *auth_password, *auth_query, *auth_dbname;
	char *hosts, *tls;
	int port;
	struct answer *answer; /* of TASK_SECRET: made with the task, for an answer there must be */
};

struct session {
	char *key; /* user and database */
	struct pgm_conn *conn;
};

struct pgm_background {
	struct pgm_pooler *pooler;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct task *tasks, **end;
	bool stop;
	struct session sessions[SESSIONS_MAX]; /* the thread's own */
};

static void free_task(struct task *task)
{
	free(task->user);
	free(task->auth_user);
	if (task->auth_password)
		pgm_scram_wipe(task->auth_password, strlen(task->auth_password));
	free(task->auth_password);
	free(task->auth_query);
	free(task->auth_dbname);
	free(task->hosts);
	free(task->tls);
	free(task->answer);
	free(task);
}

/* ---- addresses ---- */

static bool add_address(struct pgm_address *addresses, size_t *count, const struct sockaddr *address,
			socklen_t length, const char *host, int port)
{
	if (*count == PGM_POOL_HOSTS_MAX)
		return false;
	struct pgm_address *added = &addresses[(*count)++];
	memset(added, 0, sizeof(*added));
	memcpy(&added->address, address, length);
	added->length = length;
	snprintf(added->host, sizeof(added->host), "%s", host);
	added->port = port;
	return true;
}

/* False: the name needs a name server, and ask is false; or nothing was found. */
static bool resolve_host(const char *host, int port, bool ask, struct pgm_address *addresses, size_t *count)
{
	if (*host == '/' || *host == '@') {
		struct sockaddr_un local = {.sun_family = AF_UNIX};
		int length = snprintf(local.sun_path, sizeof(local.sun_path), "%s/.s.PGSQL.%d", host, port);
		if (length < 0 || (size_t)length >= sizeof(local.sun_path))
			return false;
		if (*host == '@')
			local.sun_path[0] = '\0';
		socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length +
					     (*host == '@' ? 0 : 1));
		return add_address(addresses, count, (struct sockaddr *)&local, size, host, port);
	}
	char service[16];
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = ask ? 0 : AI_NUMERICHOST}, *found;
	snprintf(service, sizeof(service), "%d", port);
	if (getaddrinfo(host, service, &hints, &found) != 0)
		return false;
	for (struct addrinfo *at = found; at; at = at->ai_next)
		add_address(addresses, count, at->ai_addr, at->ai_addrlen, host, port);
	freeaddrinfo(found);
	return true;
}

static bool resolve(struct pgm_database *database, const char *names, int port, bool ask)
{
	struct pgm_address addresses[PGM_POOL_HOSTS_MAX];
	size_t count = 0;
	char hosts[1024];
	snprintf(hosts, sizeof(hosts), "%s", names);
	bool all = true;
	char *rest = hosts;
	for (char *host; (host = strsep(&rest, ","));) {
		while (*host == ' ')
			host++;
		if (strcmp(host, "localhost") == 0 && !ask)
			all = resolve_host(host, port, true, addresses, &count) && all; /* of /etc/hosts */
		else
			all = resolve_host(host, port, ask, addresses, &count) && all;
	}
	if (count && (all || ask)) {
		pthread_mutex_lock(&database->lock);
		memcpy(database->addresses, addresses, sizeof(addresses));
		database->address_count = count;
		database->resolved_at_us = pgm_loop_clock_us();
		pthread_mutex_unlock(&database->lock);
	} else if (ask) {
		pthread_mutex_lock(&database->lock);
		database->unresolved_at_us = pgm_loop_clock_us();
		pthread_mutex_unlock(&database->lock);
	}
	return all && count;
}

static const char *hosts_of(const struct pgm_config_database *config)
{
	return config->host ? config->host : "/var/run/postgresql";
}

static int port_of(const struct pgm_config_database *config)
{
	return config->port != PGM_UNSET && config->port > 0 ? (int)config->port : 5432;
}

bool pgm_background_resolve_now(struct pgm_database *database)
{
	const struct pgm_config_database *config = database->config;
	return !config || resolve(database, hosts_of(config), port_of(config), false);
}

bool pgm_background_user_name(uid_t uid, char *name, size_t size)
{
	char buffer[4096];
	struct passwd entry, *found;
	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
		return false;
	snprintf(name, size, "%s", found->pw_name);
	return true;
}

/* ---- secrets ---- */

struct answer {
	struct pgm_letter letter;
	uint64_t client_id;
	bool found, failed, out_of_memory;
	char *secret;
};

static void deliver_answer(struct pgm_letter *letter, void *owner)
{
	struct answer *answer = (struct answer *)letter;
	struct pgm_worker *worker = owner;
	struct pgm_client *client, *asker = NULL;
	pgm_list_each(&worker->clients, client, struct pgm_client, link) if (client->id == answer->client_id)
		asker = client;
	if (asker && asker->state == PGM_CLIENT_SECRET)
		pgm_login_secret(asker, answer->found, answer->secret,
				 answer->out_of_memory ? "out of memory"
				 : answer->failed      ? "the database could not be asked"
						       : NULL);
	if (answer->secret)
		pgm_scram_wipe(answer->secret, strlen(answer->secret));
	free(answer->secret);
	free(answer);
}

static bool first_address(struct pgm_database *database, struct pgm_address *address)
{
	pthread_mutex_lock(&database->lock);
	bool known = database->address_count;
	if (known)
		*address = database->addresses[0];
	pthread_mutex_unlock(&database->lock);
	return known;
}

/* name='value' for a conninfo: in dbname, libpq would read a whole conninfo of a client's making. */
static void add_option(struct pgm_buf *text, const char *name, const char *value)
{
	pgm_buf_printf(text, " %s='", name);
	for (; *value; value++)
		pgm_buf_printf(text, *value == '\'' || *value == '\\' ? "\\%c" : "%c", *value);
	pgm_buf_add(text, "'");
}

static struct session *session_for(struct pgm_background *background, const struct task *task,
				   struct pgm_arena *arena, struct pgm_error *err)
{
	char key[1024];
	struct session *slot = &background->sessions[0];
	snprintf(key, sizeof(key), "%u %s %s", task->database->index, task->auth_user, task->auth_dbname);
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *session = &background->sessions[i];
		if (session->key && strcmp(session->key, key) == 0 && pgm_conn_alive(session->conn))
			return session;
		if (!session->key)
			slot = session;
	}
	pgm_conn_close(slot->conn);
	free(slot->key);
	*slot = (struct session){0};
	struct pgm_address address;
	if (!first_address(task->database, &address) &&
	    !(resolve(task->database, task->hosts, task->port, true) &&
	      first_address(task->database, &address))) {
		pgm_error_set(err, PGM_ERR_CONNECT, "the host name %s cannot be resolved", task->hosts);
		return NULL;
	}
	char port[16];
	snprintf(port, sizeof(port), "%d", address.port);
	struct pgm_buf conninfo;
	pgm_buf_init(&conninfo, arena);
	pgm_buf_add(&conninfo, task->tls);
	add_option(&conninfo, "dbname", task->auth_dbname);
	struct pgm_conn_options options = {.conninfo = conninfo.text,
					   .host = address.host,
					   .port = port,
					   .user = task->auth_user,
					   .password = task->auth_password};
	slot->conn = pgm_conn_open(&options, err);
	slot->key = slot->conn ? strdup(key) : NULL;
	return slot->conn && slot->key ? slot : NULL;
}

static bool ask(struct pgm_background *background, const struct task *task, struct answer *answer,
		struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct session *session = session_for(background, task, arena, err);
	const char *params[] = {task->user};
	struct pgm_rows rows;
	if (!session)
		return false;
	if (!pgm_conn_query(session->conn, arena, task->auth_query, 1, params, &rows, err)) {
		if (!pgm_conn_alive(session->conn)) {
			pgm_conn_close(session->conn);
			free(session->key);
			*session = (struct session){0};
		}
		return false;
	}
	/* the name that came back must be the one that was asked for: a careless query may answer another's
	 */
	if (rows.count == 1 && rows.columns >= 2 && pgm_rows_get(&rows, 0, 0) && pgm_rows_get(&rows, 0, 1) &&
	    strcmp(pgm_rows_get(&rows, 0, 0), task->user) == 0) {
		answer->found = true;
		answer->secret = strdup(pgm_rows_get(&rows, 0, 1));
		answer->out_of_memory = !answer->secret;
	}
	return true;
}

static void run_secret(struct pgm_background *background, struct task *task)
{
	struct answer *answer = task->answer;
	struct pgm_error err = {0};
	task->answer = NULL;
	answer->letter.deliver = deliver_answer;
	answer->client_id = task->client_id;
	/* a session that was closed meanwhile is opened anew once */
	if (!ask(background, task, answer, &err) && !ask(background, task, answer, &err)) {
		pgm_log(PGM_LOG_WARNING, "%s: auth_query failed: %s", task->database->name, err.message);
		answer->failed = true;
	}
	pgm_loop_post(&task->worker->loop, &answer->letter);
}

static void run_resolve(struct pgm_background *background, const struct task *task)
{
	(void)background;
	if (!resolve(task->database, task->hosts, task->port, true))
		pgm_log(PGM_LOG_WARNING, "%s: its host name cannot be resolved", task->database->name);
	pthread_mutex_lock(&task->database->lock);
	task->database->resolving = false;
	pthread_mutex_unlock(&task->database->lock);
}

static void *run(void *data)
{
	struct pgm_background *background = data;
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	pthread_mutex_lock(&background->lock);
	while (!background->stop) {
		struct task *task = background->tasks;
		if (!task) {
			pthread_cond_wait(&background->wake, &background->lock);
			continue;
		}
		background->tasks = task->next;
		if (!background->tasks)
			background->end = &background->tasks;
		pthread_mutex_unlock(&background->lock);
		if (task->kind == TASK_SECRET)
			run_secret(background, task);
		else
			run_resolve(background, task);
		free_task(task);
		pthread_mutex_lock(&background->lock);
	}
	pthread_mutex_unlock(&background->lock);
	return NULL;
}

struct pgm_background *pgm_background_start(struct pgm_pooler *pooler, struct pgm_error *err)
{
	struct pgm_background *background = calloc(1, sizeof(*background));
	if (!background) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	background->pooler = pooler;
	background->end = &background->tasks;
	pthread_mutex_init(&background->lock, NULL);
	pthread_cond_init(&background->wake, NULL);
	int failed = pthread_create(&background->thread, NULL, run, background);
	if (failed) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "cannot start a thread: %s", strerror(failed));
		free(background);
		return NULL;
	}
	return background;
}

void pgm_background_stop(struct pgm_background *background)
{
	if (!background)
		return;
	pthread_mutex_lock(&background->lock);
	background->stop = true;
	pthread_cond_signal(&background->wake);
	pthread_mutex_unlock(&background->lock);
	pthread_join(background->thread, NULL);
	while (background->tasks) {
		struct task *task = background->tasks;
		background->tasks = task->next;
		free_task(task);
	}
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		pgm_conn_close(background->sessions[i].conn);
		free(background->sessions[i].key);
	}
	pthread_mutex_destroy(&background->lock);
	pthread_cond_destroy(&background->wake);
	free(background);
}

static void add_task(struct pgm_background *background, struct task *task)
{
	pthread_mutex_lock(&background->lock);
	*background->end = task;
	background->end = &task->next;
	pthread_cond_signal(&background->wake);
	pthread_mutex_unlock(&background->lock);
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* name='value' at the end of a text that has room for it. */
static void append_option(char *text, const char *name, const char *value)
{
	text += strlen(text);
	text += sprintf(text, " %s='", name);
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			*text++ = '\\';
		*text++ = *value;
	}
	memcpy(text, "'", 2);
}

/* server_tls_... as libpq has it; free() it. NULL: no memory. */
static char *tls_options(const struct pgm_pool_tls *tls)
{
	static const char *const modes[] = {"disable", "allow",	    "prefer",
					    "require", "verify-ca", "verify-full"};
	const char *options[][2] = {{"sslrootcert", tls->mode >= PGM_SSL_VERIFY_CA ? tls->ca_file : NULL},
				    {"sslcert", tls->cert_file},
				    {"sslkey", tls->key_file}};
	size_t size = 32;
	for (size_t i = 0; i < 3; i++)
		size += options[i][1] ? 16 + 2 * strlen(options[i][1]) : 0;
	char *text = malloc(size);
	if (!text)
		return NULL;
	snprintf(text, size, "sslmode=%s", modes[tls->mode]);
	for (size_t i = 0; i < 3; i++)
		if (options[i][1] && *options[i][1])
			append_option(text, options[i][0], options[i][1]);
	return text;
}

enum pgm_background_asked pgm_background_ask_secret(struct pgm_worker *worker, uint64_t client_id,
						    struct pgm_database *database, const char *user)
{
	const struct pgm_pool_config *config = worker->pooler->config;
	const struct pgm_config_database *own = database->config;
	const char *auth_user = own->auth_user ? own->auth_user : config->auth_user;
	const char *query = own->auth_query ? own->auth_query : config->auth_query;
	const char *dbname = own->auth_dbname ? own->auth_dbname : config->auth_dbname;
	if (dbname && *dbname && !(database = pgm_pooler_database(worker->pooler, dbname)))
		return PGM_BACKGROUND_NOBODY;
	own = database->config;
	bool own_password = own->password && own->user && strcmp(own->user, auth_user) == 0;
	const char *password = own_password ? own->password : pgm_config_secret_find(config, auth_user);
	struct task *task = calloc(1, sizeof(*task));
	if (!task)
		return PGM_BACKGROUND_NO_MEMORY;
	task->kind = TASK_SECRET;
	task->worker = worker;
	task->client_id = client_id;
	task->database = database;
	task->answer = calloc(1, sizeof(*task->answer));
	task->user = copy(user);
	task->auth_user = copy(auth_user);
	task->auth_password = copy(password);
	task->auth_query = copy(query);
	task->auth_dbname = copy(database->server_name);
	task->hosts = copy(hosts_of(own));
	task->port = port_of(own);
	task->tls = tls_options(&config->server_tls);
	if (!task->answer || !task->user || !task->auth_user || (password && !task->auth_password) ||
	    !task->auth_query || !task->auth_dbname || !task->hosts || !task->tls) {
		free_task(task);
		return PGM_BACKGROUND_NO_MEMORY;
	}
	add_task(worker->pooler->background, task);
	return PGM_BACKGROUND_ASKED;
}

void pgm_background_resolve(struct pgm_pooler *pooler, struct pgm_database *database)
{
	pthread_mutex_lock(&database->lock);
	bool busy = database->resolving;
	database->resolving = database->by_name = true;
	pthread_mutex_unlock(&database->lock);
	struct task *task = busy ? NULL : calloc(1, sizeof(*task));
	if (task && !(task->hosts = copy(hosts_of(database->config)))) {
		free_task(task);
		task = NULL;
	}
	if (!busy && !task) {
		pthread_mutex_lock(&database->lock);
		database->resolving = false;
		pthread_mutex_unlock(&database->lock);
	}
	if (!task)
		return;
	task->kind = TASK_RESOLVE;
	task->database = database;
	task->port = port_of(database->config);
	add_task(pooler->background, task);
}

void pgm_background_refresh(struct pgm_pooler *pooler, struct pgm_database *database)
{
	const struct pgm_pool_config *config = pooler->config;
	uint64_t now = pgm_loop_clock_us();
	pthread_mutex_lock(&database->lock);
	uint64_t since_us = database->address_count ? database->resolved_at_us : database->unresolved_at_us;
	int64_t limit_ms = database->address_count ? config->dns_max_ttl_ms : config->dns_nxdomain_ttl_ms;
	bool due = database->config && database->by_name &&
		   (!since_us || now - since_us > (uint64_t)limit_ms * 1000);
	pthread_mutex_unlock(&database->lock);
	if (due)
		pgm_background_resolve(pooler, database);
}
