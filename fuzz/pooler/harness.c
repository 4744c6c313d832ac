#include "harness.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DATABASE      "d"
#define ROUNDS_AT_END 64

static struct pgm_pooler *pooler;
static struct pgm_worker *worker;
static struct pgm_config_database database_config;
static struct pgm_config_secret secret = {"u", ""};
static int listener = -1;
static uint64_t fake_us = 1000000000;

/* ---- the clock: linked in place of the C library's, for the pooler and for libFuzzer, which reads another
 * ---- */

int __real_clock_gettime(clockid_t id, struct timespec *time);
int __wrap_clock_gettime(clockid_t id, struct timespec *time);
int __wrap_sched_yield(void);

int __wrap_clock_gettime(clockid_t id, struct timespec *time)
{
	if (id != CLOCK_MONOTONIC || !pooler)
		return __real_clock_gettime(id, time);
	time->tv_sec = (time_t)(fake_us / 1000000);
	time->tv_nsec = (long)(fake_us % 1000000) * 1000;
	return 0;
}

/* Nobody else is waited for. */
int __wrap_sched_yield(void)
{
	return 0;
}

/* ---- memory: the same for what the pooler allocates ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);

static bool inside; /* the pooler runs */
static size_t to_succeed, to_fail, failed;

static bool fails(void)
{
	if (!inside || !to_fail)
		return false;
	if (to_succeed) {
		to_succeed--;
		return false;
	}
	to_fail--;
	failed++;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t length)
{
	return fails() ? NULL : __real_strndup(text, length);
}

void harness_memory_short(size_t succeed, size_t fail)
{
	to_succeed = succeed;
	to_fail = fail;
	failed = 0;
}

void harness_memory_enough(void)
{
	to_fail = 0;
}

bool harness_memory_is_short(void)
{
	return to_fail > 0;
}

size_t harness_memory_failed(void)
{
	return failed;
}

/* ---- time ---- */

void harness_advance_us(uint64_t us)
{
	fake_us += us;
}

/* ---- bytes ---- */

void harness_append(struct harness_bytes *bytes, const void *more, size_t length)
{
	if (bytes->length + length > bytes->capacity) {
		bytes->capacity = (bytes->length + length) * 2 + 256;
		bytes->at = realloc(bytes->at, bytes->capacity);
		if (!bytes->at)
			abort();
	}
	if (length)
		memcpy(bytes->at + bytes->length, more, length);
	bytes->length += length;
}

void harness_remove(struct harness_bytes *bytes, size_t length)
{
	assert(length <= bytes->length);
	bytes->length -= length;
	if (bytes->length)
		memmove(bytes->at, bytes->at + length, bytes->length);
}

void harness_free(struct harness_bytes *bytes)
{
	free(bytes->at);
	*bytes = (struct harness_bytes){0};
}

bool harness_read(int fd, struct harness_bytes *in, bool *moved)
{
	static uint8_t part[65536];
	ssize_t got;
	while ((got = recv(fd, part, sizeof(part), MSG_DONTWAIT)) > 0) {
		harness_append(in, part, (size_t)got);
		*moved = true;
		if ((size_t)got < sizeof(part))
			return true;
	}
	return got < 0 && errno == EAGAIN;
}

bool harness_write(int fd, struct harness_bytes *out, bool *moved)
{
	while (out->length) {
		ssize_t sent = send(fd, out->at, out->length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN;
		*moved = true;
		harness_remove(out, (size_t)sent);
	}
	return true;
}

/* ---- the pooler ---- */

static void listen_for_pooler(struct pgm_database *database)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(address);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* a name of the kernel's choice, in no file system */
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
	    listen(listener, 64) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		abort();
	memcpy(&database->addresses[0].address, &address, size);
	database->addresses[0].length = size;
	snprintf(database->addresses[0].host, sizeof(database->addresses[0].host), "server");
	database->address_count = 1;
}

static void start(void)
{
	struct pgm_error err = {0};
	struct pgm_pooler *made = calloc(1, sizeof(*made));
	struct pgm_pool_config *config = pgm_pool_config_defaults();
	database_config = (struct pgm_config_database){.name = DATABASE,
						       .host = "127.0.0.1",
						       .port = 1,
						       .dbname = DATABASE,
						       PGM_CONFIG_DATABASE_UNSET};
	config->databases = &database_config;
	config->database_count = 1;
	config->auth_type = PGM_AUTH_TRUST;
	config->secrets = &secret;
	config->secret_count = 1;
	config->profile_max = 256;
	if (!made || !pgm_log_open(config, true, &err))
		abort();
	made->config = config;
	pthread_mutex_init(&made->admin_lock, NULL);
	pthread_mutex_init(&made->lock, NULL);
	pooler = made;
	worker = pgm_worker_new(made, 0, &err);
	if (!worker)
		abort();
	made->workers[0] = worker;
	made->worker_count = 1;
	struct pgm_database *database = pgm_pooler_database(made, DATABASE);
	if (!database)
		abort();
	listen_for_pooler(database);
}

void harness_begin(const struct harness_options *options)
{
	if (!pooler)
		start();
	struct pgm_pool_config *config = pooler->config;
	config->pool_mode = options->mode;
	config->default_pool_size = options->pool_size;
	config->strict = options->strict;
	config->max_prepared_statements =
		options->max_prepared_statements ? options->max_prepared_statements : 200;
	database_config.password = options->password;
	pgm_pooler_configure(pooler, config);
	harness_advance_us(3600ull * 1000000); /* whatever was put off is due */
	worker->loop.now_us = fake_us;
}

int harness_connect(uint64_t *id)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		abort();
	uint64_t before = atomic_load(&pooler->next_client_id);
	inside = true;
	pgm_client_accept(worker, ends[1], &(struct sockaddr){.sa_family = AF_UNIX}, "fuzz");
	inside = false;
	*id = atomic_load(&pooler->next_client_id);
	if (*id == before) /* there was no memory for it */
		*id = 0;
	return ends[0];
}

int harness_accept(void)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

bool harness_round(void)
{
	inside = true;
	pgm_worker_round(worker, 0);
	inside = false;
	return worker->loop.last_count > 0;
}

struct pgm_share *harness_share(void)
{
	return pooler->pool_count && worker->share_capacity ? worker->shares[pooler->pools[0]->index] : NULL;
}

static struct pgm_server *find(const struct pgm_list *list, uint32_t pid)
{
	struct pgm_server *server;
	pgm_list_each(list, server, struct pgm_server, link) if (server->pid == pid) return server;
	return NULL;
}

struct pgm_server *harness_server(uint32_t pid)
{
	struct pgm_share *share = harness_share();
	struct pgm_server *server = share ? find(&share->busy, pid) : NULL;
	return server || !share ? server : find(&share->idle, pid);
}

static void forget(struct pgm_pool *pool)
{
	for (size_t i = 0; i < pool->welcome_count; i++) {
		pgm_pairs_drop(pool->welcomes[i].settings);
		pgm_pairs_drop(pool->welcomes[i].reports);
	}
	memset(pool->welcomes, 0, sizeof(pool->welcomes));
	pool->welcome_count = 0;
	pgm_pairs_put(&pool->reports, NULL);
	free(pool->secret);
	pool->secret = NULL;
	pool->failure = (struct pgm_login_failure){0};
	pool->scram_cache = (struct pgm_scram_cache){0};
	pool->sequences_read = false;
}

static void close_servers(struct pgm_list *list)
{
	struct pgm_server *server;
	pgm_list_each(list, server, struct pgm_server, link) pgm_server_close(server, "end");
}

void harness_end(void)
{
	struct pgm_share *share = harness_share();
	struct pgm_client *client;
	pgm_list_each(&worker->clients, client, struct pgm_client, link) pgm_client_close(client, NULL);
	if (share) {
		close_servers(&share->idle);
		close_servers(&share->busy);
		close_servers(&share->logging_in);
	}
	int fd;
	for (int i = 0; i < ROUNDS_AT_END && (harness_round() || worker->cancels.count); i++)
		while ((fd = harness_accept()) >= 0)
			close(fd);
	while ((fd = harness_accept()) >= 0)
		close(fd);
	assert(worker->clients.count == 0 && worker->cancels.count == 0 && !worker->loop.graves);
	assert(atomic_load(&pooler->client_count) == 0 && atomic_load(&worker->client_count) == 0);
	assert(pooler->cancel_count == 0);
	if (share) {
		struct pgm_pool *pool = share->pool;
		assert(share->idle.count == 0 && share->busy.count == 0 && share->logging_in.count == 0);
		assert(share->waiting.count == 0 && atomic_load(&pool->waiting) == 0);
		assert(atomic_load(&pool->servers) == 0 && atomic_load(&pool->database->connections) == 0);
		assert(atomic_load(&pool->database->clients) == 0);
		share->next_connect_us = 0;
		forget(pool);
	}
	assert(pgm_prepared_live() == 0);
	assert(pgm_pairs_live() == 0);
}
