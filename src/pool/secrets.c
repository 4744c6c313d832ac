#include "pool/secrets.h"

#include "pg/conn.h"
#include "pool/client.h"
#include "pool/console/console.h"
#include "pool/hosts.h"
#include "util/buf.h"
#include "util/clock.h"

#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LANES_MAX 32
#define LOOK_MS	  250 /* how often a session is looked at, and tasks that a PAUSE holds back */

struct answer {
	struct pgm_letter letter;
	uint64_t client_id;
	bool found, failed, out_of_memory;
	char *secret;
};

struct task {
	struct task *next;
	struct pgm_worker *worker;
	uint64_t client_id;
	struct pgm_database *database;
	bool for_console; /* who may end a PAUSE is not held back by it */
	double asked_ms;
	char *key, *user;
	/* what the task needs of the configuration, which may be another when it is run */
	char *auth_user, *auth_password, *auth_query, *dbname;
	char *hosts, *tls;
	int port;
	unsigned place;
	uint64_t reconnect;
	int64_t login_ms, timeout_ms, idle_ms, lifetime_ms;
	struct answer *answer; /* made with the task, for an answer there must be */
};

/* One thread, one session. Tasks of the same key go to the same one. */
struct lane {
	struct pgm_secrets *secrets;
	pthread_t thread;
	pthread_cond_t wake;
	struct task *tasks, **end;
	size_t task_count; /* with the one that is run */
	char *key;	   /* of the last task that came */
	/* the thread's own */
	struct pgm_conn *conn; /* NULL: no session */
	char *conn_key;
	struct pgm_database *database;
	struct pgm_address address;
	uint64_t reconnect; /* the database's number when it was asked for */
	double opened_ms, used_ms;
	int64_t idle_ms, lifetime_ms;
	char *failed_key; /* what could last not be asked, and until when that was tried */
	double failed_ms;
	struct pgm_error failure;
};

struct pgm_secrets {
	struct pgm_pooler *pooler;
	pthread_mutex_t lock;
	_Atomic bool stop; /* set under the lock */
	struct lane lanes[LANES_MAX];
	size_t lane_count;
};

static void free_task(struct task *task)
{
	free(task->key);
	free(task->user);
	free(task->auth_user);
	if (task->auth_password)
		pgm_scram_wipe(task->auth_password, strlen(task->auth_password));
	free(task->auth_password);
	free(task->auth_query);
	free(task->dbname);
	free(task->hosts);
	free(task->tls);
	free(task->answer);
	free(task);
}

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

/* ---- the session ---- */

static void close_session(struct lane *lane)
{
	pgm_conn_close(lane->conn);
	free(lane->conn_key);
	lane->conn = NULL;
	lane->conn_key = NULL;
}

static bool is_paused(const struct pgm_secrets *secrets, struct pgm_database *database)
{
	return atomic_load(&secrets->pooler->paused) || atomic_load(&database->paused);
}

static bool is_over(double now, double since, int64_t limit_ms)
{
	return limit_ms > 0 && now - since > (double)limit_ms;
}

/* Whether what is asked next may be asked on it, and it may stay open until then. */
static bool is_good(const struct lane *lane)
{
	double now = pgm_clock_ms();
	return pgm_conn_alive(lane->conn) && lane->reconnect == atomic_load(&lane->database->reconnect) &&
	       pgm_hosts_has(lane->database, &lane->address) && !is_over(now, lane->used_ms, lane->idle_ms) &&
	       !is_over(now, lane->opened_ms, lane->lifetime_ms);
}

/* name='value' for a conninfo: in dbname, libpq would read a whole conninfo of a client's making. */
static void add_option(struct pgm_buf *text, const char *name, const char *value)
{
	pgm_buf_printf(text, " %s='", name);
	for (; *value; value++)
		pgm_buf_printf(text, *value == '\'' || *value == '\\' ? "\\%c" : "%c", *value);
	pgm_buf_add(text, "'");
}

static struct pgm_conn *open_at(const struct task *task, const struct pgm_address *address,
				struct pgm_arena *arena, struct pgm_error *err)
{
	char port[16], seconds[32], number[NI_MAXHOST];
	const struct sockaddr *at = (const struct sockaddr *)&address->address;
	int64_t timeout_ms = task->timeout_ms > 0 ? task->timeout_ms : 15000;
	struct pgm_buf conninfo;
	pgm_buf_init(&conninfo, arena);
	pgm_buf_add(&conninfo, task->tls);
	add_option(&conninfo, "dbname", task->dbname);
	if (at->sa_family != AF_UNIX &&
	    getnameinfo(at, address->length, number, sizeof(number), NULL, 0, NI_NUMERICHOST) == 0)
		add_option(&conninfo, "hostaddr", number);
	snprintf(port, sizeof(port), "%d", address->port);
	snprintf(seconds, sizeof(seconds), "%lld", (long long)(timeout_ms + 999) / 1000);
	struct pgm_conn_options options = {.conninfo = conninfo.text,
					   .host = address->host,
					   .port = port,
					   .user = task->auth_user,
					   .password = task->auth_password,
					   .connect_timeout = seconds,
					   .answer_ms = (double)timeout_ms};
	return pgm_conn_open(&options, err);
}

/* At the address that answered last, else at the others in turn. */
static bool open_session(struct lane *lane, const struct task *task, struct pgm_arena *arena,
			 struct pgm_error *err)
{
	struct pgm_database *database = task->database;
	close_session(lane);
	lane->reconnect = task->reconnect;
	size_t count = pgm_hosts_count(database);
	if (!count && pgm_hosts_look_up(database, task->hosts, task->port, task->place))
		count = pgm_hosts_count(database);
	if (!count)
		return pgm_error_set(err, PGM_ERR_CONNECT, "the host name %s cannot be resolved",
				     task->hosts);
	unsigned first = atomic_load(&database->asked_address);
	pgm_error_set(err, PGM_ERR_CONNECT, "its addresses have changed"); /* where it is not even tried */
	for (unsigned i = 0; i < count && !lane->conn && !lane->secrets->stop; i++) {
		if (!pgm_hosts_at(database, (first + i) % count, &lane->address))
			continue;
		lane->conn = open_at(task, &lane->address, arena, err);
		if (lane->conn)
			atomic_store(&database->asked_address, (unsigned)((first + i) % count));
		else if (i + 1 < count)
			pgm_log(PGM_LOG_WARNING, "%s: auth_query: %s", database->name, err->message);
	}
	if (!lane->conn)
		return false;
	lane->database = database;
	lane->opened_ms = pgm_clock_ms();
	if (!(lane->conn_key = strdup(task->key))) {
		close_session(lane);
		return pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	}
	return true;
}

static bool ask(struct lane *lane, const struct task *task, struct answer *answer, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const char *params[] = {task->user};
	struct pgm_rows rows;
	bool open = lane->conn && strcmp(lane->conn_key, task->key) == 0 && is_good(lane);
	if (!open && !open_session(lane, task, arena, err))
		return false;
	lane->used_ms = pgm_clock_ms();
	lane->idle_ms = task->idle_ms;
	lane->lifetime_ms = task->lifetime_ms;
	if (!pgm_conn_query(lane->conn, arena, task->auth_query, 1, params, &rows, err)) {
		if (!pgm_conn_alive(lane->conn))
			close_session(lane);
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

/* Who waited while the database could not be reached is told so, too, and does not try in turn. */
static bool has_just_failed(const struct lane *lane, const struct task *task)
{
	return lane->failed_key && strcmp(lane->failed_key, task->key) == 0 &&
	       task->asked_ms < lane->failed_ms;
}

static void note_failure(struct lane *lane, const struct task *task, const struct pgm_error *err)
{
	free(lane->failed_key);
	lane->failed_key = strdup(task->key);
	lane->failed_ms = pgm_clock_ms();
	lane->failure = *err;
}

static void run_task(struct lane *lane, struct task *task)
{
	struct answer *answer = task->answer;
	struct pgm_error err = {0};
	task->answer = NULL;
	answer->letter.deliver = deliver_answer;
	answer->client_id = task->client_id;
	bool had = lane->conn, failed = has_just_failed(lane, task);
	/* a session that was closed meanwhile is opened anew once */
	if (failed) {
		err = lane->failure;
	} else if (!ask(lane, task, answer, &err) && (!had || lane->conn || !ask(lane, task, answer, &err))) {
		failed = true;
		if (!lane->conn)
			note_failure(lane, task, &err);
	}
	if (failed) {
		/* no such function, no such table: perhaps there is one in another schema */
		bool unqualified = strcmp(err.sqlstate, "42883") == 0 || strcmp(err.sqlstate, "42P01") == 0;
		pgm_log(PGM_LOG_WARNING, "%s: auth_query failed: %s%s", task->database->name, err.message,
			unqualified ? "; its search_path is pg_catalog, so names need their schema" : "");
		answer->failed = true;
	}
	pgm_loop_post(&task->worker->loop, &answer->letter);
}

/* ---- the lanes ---- */

/* Its client has been closed for client_login_timeout. */
static bool is_void(const struct task *task)
{
	return is_over(pgm_clock_ms(), task->asked_ms, task->login_ms);
}

static bool is_held_back(const struct pgm_secrets *secrets, const struct task *task)
{
	return !task->for_console && is_paused(secrets, task->database) && !is_void(task);
}

/* The first one that is not held back, or that is to be thrown away with all others; NULL: none. */
static struct task *next_task(struct lane *lane)
{
	struct task **at = &lane->tasks;
	while (*at && !lane->secrets->stop && is_held_back(lane->secrets, *at))
		at = &(*at)->next;
	struct task *task = *at;
	if (!task)
		return NULL;
	*at = task->next;
	if (!*at)
		lane->end = at;
	return task;
}

static void *run(void *data)
{
	struct lane *lane = data;
	struct pgm_secrets *secrets = lane->secrets;
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	pthread_mutex_lock(&secrets->lock);
	while (!secrets->stop) {
		struct task *task = next_task(lane);
		if (task) {
			pthread_mutex_unlock(&secrets->lock);
			if (!is_void(task))
				run_task(lane, task);
			free_task(task);
			pthread_mutex_lock(&secrets->lock);
			lane->task_count--;
		} else if (lane->conn && (is_paused(secrets, lane->database) || !is_good(lane))) {
			pthread_mutex_unlock(&secrets->lock);
			close_session(lane);
			pthread_mutex_lock(&secrets->lock);
		} else if (lane->conn || lane->tasks) {
			struct timespec until = pgm_clock_moment(pgm_clock_ms() + LOOK_MS);
			pthread_cond_timedwait(&lane->wake, &secrets->lock, &until);
		} else {
			pthread_cond_wait(&lane->wake, &secrets->lock);
		}
	}
	pthread_mutex_unlock(&secrets->lock);
	close_session(lane);
	return NULL;
}

struct pgm_secrets *pgm_secrets_start(struct pgm_pooler *pooler, struct pgm_error *err)
{
	struct pgm_secrets *secrets = calloc(1, sizeof(*secrets));
	if (!secrets) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	secrets->pooler = pooler;
	pthread_mutex_init(&secrets->lock, NULL);
	return secrets;
}

void pgm_secrets_stop(struct pgm_secrets *secrets)
{
	if (!secrets)
		return;
	pthread_mutex_lock(&secrets->lock);
	secrets->stop = true;
	for (size_t i = 0; i < secrets->lane_count; i++)
		pthread_cond_signal(&secrets->lanes[i].wake);
	pthread_mutex_unlock(&secrets->lock);
	for (size_t i = 0; i < secrets->lane_count; i++) {
		struct lane *lane = &secrets->lanes[i];
		pthread_join(lane->thread, NULL);
		for (struct task *task; (task = next_task(lane));)
			free_task(task);
		pthread_cond_destroy(&lane->wake);
		free(lane->key);
		free(lane->failed_key);
	}
	pthread_mutex_destroy(&secrets->lock);
	free(secrets);
}

/* The one that has asked this before; else a new one, else the one with least to do. */
static struct lane *lane_for(struct pgm_secrets *secrets, const char *key)
{
	struct lane *best = NULL;
	for (size_t i = 0; i < secrets->lane_count; i++) {
		struct lane *lane = &secrets->lanes[i];
		if (lane->key && strcmp(lane->key, key) == 0)
			return lane;
		if (!best || lane->task_count < best->task_count)
			best = lane;
	}
	if (secrets->lane_count == LANES_MAX)
		return best;
	struct lane *lane = &secrets->lanes[secrets->lane_count];
	*lane = (struct lane){.secrets = secrets};
	lane->end = &lane->tasks;
	pgm_clock_cond_init(&lane->wake);
	if (pthread_create(&lane->thread, NULL, run, lane) != 0) {
		pthread_cond_destroy(&lane->wake);
		return best;
	}
	secrets->lane_count++;
	return lane;
}

/* False: no memory, no thread. */
static bool add_task(struct pgm_secrets *secrets, struct task *task)
{
	char *key = strdup(task->key);
	pthread_mutex_lock(&secrets->lock);
	struct lane *lane = key ? lane_for(secrets, key) : NULL;
	if (lane) {
		free(lane->key);
		lane->key = key;
		*lane->end = task;
		lane->end = &task->next;
		lane->task_count++;
		pthread_cond_signal(&lane->wake);
	} else {
		free(key);
	}
	pthread_mutex_unlock(&secrets->lock);
	return lane;
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

enum pgm_secrets_asked pgm_secrets_ask(struct pgm_worker *worker, uint64_t client_id,
				       struct pgm_database *database, const char *user)
{
	struct pgm_pooler *pooler = worker->pooler;
	const struct pgm_pool_config *config = pooler->config;
	const struct pgm_config_database *own = database->config;
	const char *auth_user = own->auth_user ? own->auth_user : config->auth_user;
	const char *query = own->auth_query ? own->auth_query : config->auth_query;
	const char *dbname = own->auth_dbname ? own->auth_dbname : config->auth_dbname;
	bool for_console = database == pgm_console_database(pooler);
	if (dbname && *dbname && !(database = pgm_pooler_database(pooler, dbname)))
		return PGM_SECRETS_NOBODY;
	own = database->config;
	bool own_password = own->password && own->user && strcmp(own->user, auth_user) == 0;
	const char *password = own_password ? own->password : pgm_config_secret_find(config, auth_user);
	struct task *task = calloc(1, sizeof(*task));
	if (!task)
		return PGM_SECRETS_NO_MEMORY;
	char key[1024];
	snprintf(key, sizeof(key), "%u %s %s", database->index, auth_user, database->server_name);
	task->worker = worker;
	task->client_id = client_id;
	task->database = database;
	task->for_console = for_console;
	task->asked_ms = pgm_clock_ms();
	task->answer = calloc(1, sizeof(*task->answer));
	task->key = copy(key);
	task->user = copy(user);
	task->auth_user = copy(auth_user);
	task->auth_password = copy(password);
	task->auth_query = copy(query);
	task->dbname = copy(database->server_name);
	task->hosts = copy(pgm_hosts_names(own));
	task->port = pgm_hosts_port(own);
	task->place = atomic_load(&database->place);
	task->reconnect = atomic_load(&database->reconnect);
	task->tls = tls_options(&config->server_tls);
	task->login_ms = config->client_login_timeout_ms;
	task->timeout_ms = config->server_connect_timeout_ms;
	task->idle_ms = config->server_idle_timeout_ms;
	task->lifetime_ms = config->server_lifetime_ms;
	if (task->answer && task->key && task->user && task->auth_user &&
	    (!password || task->auth_password) && task->auth_query && task->dbname && task->hosts &&
	    task->tls && add_task(pooler->secrets, task))
		return PGM_SECRETS_ASKED;
	free_task(task);
	return PGM_SECRETS_NO_MEMORY;
}
