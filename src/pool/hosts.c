#include "pool/hosts.h"

#include "loop/loop.h"

#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define THREADS_MAX 4 /* so many names may be slow at once */

struct task {
	struct task *next;
	struct pgm_database *database;
	char *names; /* of the configuration, which may be another when the task is run */
	int port;
	unsigned place;
};

struct pgm_hosts {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t threads[THREADS_MAX];
	size_t thread_count, resting; /* of them, how many wait for a task */
	struct task *tasks, **end;
	size_t task_count;
	bool stop;
};

/* ---- addresses ---- */

struct found {
	struct pgm_address addresses[PGM_POOL_HOSTS_MAX];
	size_t count;
};

static void add_address(struct found *found, const struct sockaddr *address, socklen_t length,
			const char *host, int port)
{
	if (found->count == PGM_POOL_HOSTS_MAX)
		return;
	struct pgm_address *added = &found->addresses[found->count++];
	memset(added, 0, sizeof(*added));
	memcpy(&added->address, address, length);
	added->length = length;
	snprintf(added->host, sizeof(added->host), "%s", host);
	added->port = port;
}

/* False: the name needs a name server, and ask is false; or nothing was found. */
static bool resolve_host(const char *host, int port, bool ask, struct found *found)
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
		add_address(found, (struct sockaddr *)&local, size, host, port);
		return true;
	}
	char service[16];
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = ask ? 0 : AI_NUMERICHOST}, *list;
	snprintf(service, sizeof(service), "%d", port);
	if (getaddrinfo(host, service, &hints, &list) != 0)
		return false;
	for (struct addrinfo *at = list; at; at = at->ai_next)
		add_address(found, at->ai_addr, at->ai_addrlen, host, port);
	freeaddrinfo(list);
	return true;
}

static bool same_address(const struct pgm_address *one, const struct pgm_address *other)
{
	return one->length == other->length && memcmp(&one->address, &other->address, one->length) == 0 &&
	       strcmp(one->host, other->host) == 0;
}

static bool is_among(const struct pgm_address *addresses, size_t count, const struct pgm_address *address)
{
	size_t i = 0;
	while (i < count && !same_address(&addresses[i], address))
		i++;
	return i < count;
}

/* Servers at an address that is not there any more look whether it is theirs. */
static void keep(struct pgm_database *database, const struct found *found, unsigned place)
{
	bool lost = false;
	pthread_mutex_lock(&database->lock);
	if (atomic_load(&database->place) != place) {
		pthread_mutex_unlock(&database->lock);
		return;
	}
	for (size_t i = 0; i < database->address_count; i++)
		lost |= !is_among(found->addresses, found->count, &database->addresses[i]);
	memcpy(database->addresses, found->addresses, sizeof(found->addresses));
	database->address_count = found->count;
	database->resolved_at_us = pgm_loop_clock_us();
	pthread_mutex_unlock(&database->lock);
	if (!lost)
		return;
	atomic_fetch_add(&database->moved, 1);
	pgm_log(PGM_LOG_NOTICE,
		"%s: its host has other addresses now: servers at old ones are closed when free",
		database->name);
}

/* Of a name that can't be looked up now the addresses that are known count on. */
static void keep_old(struct pgm_database *database, const char *host, struct found *found)
{
	pthread_mutex_lock(&database->lock);
	for (size_t i = 0; i < database->address_count && found->count < PGM_POOL_HOSTS_MAX; i++)
		if (strcmp(database->addresses[i].host, host) == 0)
			found->addresses[found->count++] = database->addresses[i];
	pthread_mutex_unlock(&database->lock);
}

static bool resolve(struct pgm_database *database, const char *names, int port, unsigned place, bool ask)
{
	struct found found = {.count = 0};
	char hosts[1024];
	snprintf(hosts, sizeof(hosts), "%s", names);
	bool all = true;
	char *rest = hosts;
	for (char *host; (host = strsep(&rest, ","));) {
		while (*host == ' ')
			host++;
		bool local = strcmp(host, "localhost") == 0; /* of /etc/hosts */
		if (resolve_host(host, port, ask || local, &found))
			continue;
		all = false;
		if (ask)
			keep_old(database, host, &found);
	}
	if (found.count && (all || ask)) {
		keep(database, &found, place);
	} else if (ask) {
		pthread_mutex_lock(&database->lock);
		database->unresolved_at_us = pgm_loop_clock_us();
		pthread_mutex_unlock(&database->lock);
	}
	return all && found.count;
}

const char *pgm_hosts_names(const struct pgm_config_database *config)
{
	return config->host ? config->host : "/var/run/postgresql";
}

int pgm_hosts_port(const struct pgm_config_database *config)
{
	return config->port != PGM_UNSET && config->port > 0 ? (int)config->port : 5432;
}

bool pgm_hosts_resolve_now(struct pgm_database *database)
{
	const struct pgm_config_database *config = database->config;
	return !config || resolve(database, pgm_hosts_names(config), pgm_hosts_port(config),
				  atomic_load(&database->place), false);
}

bool pgm_hosts_look_up(struct pgm_database *database, const char *names, int port, unsigned place)
{
	return resolve(database, names, port, place, true);
}

void pgm_hosts_forget(struct pgm_database *database)
{
	pthread_mutex_lock(&database->lock);
	atomic_fetch_add(&database->place, 1);
	database->address_count = 0;
	database->resolving = false;
	pthread_mutex_unlock(&database->lock);
}

size_t pgm_hosts_count(struct pgm_database *database)
{
	pthread_mutex_lock(&database->lock);
	size_t count = database->address_count;
	pthread_mutex_unlock(&database->lock);
	return count;
}

bool pgm_hosts_at(struct pgm_database *database, size_t number, struct pgm_address *address)
{
	pthread_mutex_lock(&database->lock);
	bool known = number < database->address_count;
	if (known)
		*address = database->addresses[number];
	pthread_mutex_unlock(&database->lock);
	return known;
}

bool pgm_hosts_has(struct pgm_database *database, const struct pgm_address *address)
{
	pthread_mutex_lock(&database->lock);
	bool has = database->address_count == 0 ||
		   is_among(database->addresses, database->address_count, address);
	pthread_mutex_unlock(&database->lock);
	return has;
}

/* ---- the threads ---- */

static void free_task(struct task *task)
{
	free(task->names);
	free(task);
}

static void run_task(const struct task *task)
{
	struct pgm_database *database = task->database;
	if (!resolve(database, task->names, task->port, task->place, true))
		pgm_log(PGM_LOG_WARNING, "%s: its host name cannot be resolved", database->name);
	pthread_mutex_lock(&database->lock);
	if (atomic_load(&database->place) == task->place)
		database->resolving = false;
	pthread_mutex_unlock(&database->lock);
}

static void *run(void *data)
{
	struct pgm_hosts *hosts = data;
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	pthread_mutex_lock(&hosts->lock);
	while (!hosts->stop) {
		struct task *task = hosts->tasks;
		if (!task) {
			hosts->resting++;
			pthread_cond_wait(&hosts->wake, &hosts->lock);
			hosts->resting--;
			continue;
		}
		hosts->tasks = task->next;
		hosts->task_count--;
		if (!hosts->tasks)
			hosts->end = &hosts->tasks;
		pthread_mutex_unlock(&hosts->lock);
		run_task(task);
		free_task(task);
		pthread_mutex_lock(&hosts->lock);
	}
	pthread_mutex_unlock(&hosts->lock);
	return NULL;
}

struct pgm_hosts *pgm_hosts_start(struct pgm_error *err)
{
	struct pgm_hosts *hosts = calloc(1, sizeof(*hosts));
	if (!hosts) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	hosts->end = &hosts->tasks;
	pthread_mutex_init(&hosts->lock, NULL);
	pthread_cond_init(&hosts->wake, NULL);
	return hosts;
}

void pgm_hosts_stop(struct pgm_hosts *hosts)
{
	if (!hosts)
		return;
	pthread_mutex_lock(&hosts->lock);
	hosts->stop = true;
	pthread_cond_broadcast(&hosts->wake);
	size_t count = hosts->thread_count;
	pthread_mutex_unlock(&hosts->lock);
	for (size_t i = 0; i < count; i++)
		pthread_join(hosts->threads[i], NULL);
	while (hosts->tasks) {
		struct task *task = hosts->tasks;
		hosts->tasks = task->next;
		free_task(task);
	}
	pthread_mutex_destroy(&hosts->lock);
	pthread_cond_destroy(&hosts->wake);
	free(hosts);
}

/* False: there is no thread that will ever run it. */
static bool add_task(struct pgm_hosts *hosts, struct task *task)
{
	pthread_mutex_lock(&hosts->lock);
	if (hosts->task_count >= hosts->resting && hosts->thread_count < THREADS_MAX && !hosts->stop &&
	    pthread_create(&hosts->threads[hosts->thread_count], NULL, run, hosts) == 0)
		hosts->thread_count++;
	bool added = hosts->thread_count > 0;
	if (added) {
		*hosts->end = task;
		hosts->end = &task->next;
		hosts->task_count++;
		pthread_cond_signal(&hosts->wake);
	}
	pthread_mutex_unlock(&hosts->lock);
	return added;
}

void pgm_hosts_resolve(struct pgm_pooler *pooler, struct pgm_database *database)
{
	pthread_mutex_lock(&database->lock);
	bool busy = database->resolving;
	database->resolving = database->by_name = true;
	pthread_mutex_unlock(&database->lock);
	if (busy)
		return;
	struct task *task = calloc(1, sizeof(*task));
	if (task) {
		task->database = database;
		task->names = strdup(pgm_hosts_names(database->config));
		task->port = pgm_hosts_port(database->config);
		task->place = atomic_load(&database->place);
	}
	if (task && task->names && add_task(pooler->hosts, task))
		return;
	if (task)
		free_task(task);
	pthread_mutex_lock(&database->lock);
	database->resolving = false;
	database->unresolved_at_us = pgm_loop_clock_us();
	pthread_mutex_unlock(&database->lock);
}

void pgm_hosts_refresh(struct pgm_pooler *pooler, struct pgm_database *database)
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
		pgm_hosts_resolve(pooler, database);
}

void pgm_hosts_watch(struct pgm_pooler *pooler)
{
	int64_t period_ms = pooler->config->dns_zone_check_period_ms;
	uint64_t now = pgm_loop_clock_us();
	if (period_ms <= 0)
		return;
	pthread_mutex_lock(&pooler->lock);
	for (size_t i = 0; i < pooler->database_count; i++) {
		struct pgm_database *database = pooler->databases[i];
		pthread_mutex_lock(&database->lock);
		uint64_t last_us = database->resolved_at_us > database->unresolved_at_us
					   ? database->resolved_at_us
					   : database->unresolved_at_us;
		bool due = database->config && database->by_name && atomic_load(&database->connections) &&
			   now - last_us > (uint64_t)period_ms * 1000;
		pthread_mutex_unlock(&database->lock);
		if (due)
			pgm_hosts_resolve(pooler, database);
	}
	pthread_mutex_unlock(&pooler->lock);
}
