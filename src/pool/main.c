/*
 * The process: sockets, workers, signals. One thread is the control thread: it handles what signals ask for,
 * reloads, and runs the console's commands. That is the main thread of `pgmend pool`, which reads the signals
 * itself, and a thread of its own in `pgmend serve`, which passes them on.
 */
#include "pool/client.h"
#include "pool/console/console.h"
#include "pool/hosts.h"
#include "pool/listen.h"
#include "pool/peers.h"
#include "pool/secrets.h"
#include "pool/worker.h"
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOGIN_PATIENCE_US 5000000
#define FORGET_PERIOD_US  1000000

static unsigned worker_count(const struct pgm_pool_config *config)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t count = config->workers > 0 ? config->workers : cores > 0 ? cores : 1;
	return count > PGM_POOL_WORKERS_MAX ? PGM_POOL_WORKERS_MAX : (unsigned)count;
}

/* One client and one server each, and some for the process. */
static void raise_file_limit(const struct pgm_pool_config *config)
{
	uint64_t clients = (uint64_t)config->max_client_conn;
	uint64_t files = pgm_file_limit_raise(clients * 2 + 1024);
	if (files < clients + 64)
		pgm_log(PGM_LOG_WARNING, "max_client_conn is %llu, but the process may open %llu files",
			(unsigned long long)clients, (unsigned long long)files);
}

static bool write_pidfile(const struct pgm_pool_config *config, struct pgm_error *err)
{
	if (!config->pidfile || !*config->pidfile)
		return true;
	FILE *file = fopen(config->pidfile, "we");
	bool written = file && fprintf(file, "%d\n", (int)getpid()) > 0;
	if (file && fclose(file) != 0)
		written = false;
	return written ||
	       pgm_error_set(err, PGM_ERR_INPUT, "cannot write %s: %s", config->pidfile, strerror(errno));
}

static bool start(struct pgm_pooler *pooler, struct pgm_error *err)
{
	const struct pgm_pool_config *config = pooler->config;
	if (!pgm_pooler_make_tls(config, &pooler->client_tls, &pooler->server_tls, err) ||
	    !pgm_listen_open(pooler, err) || !write_pidfile(config, err))
		return false;
	if (!pgm_loop_init(&pooler->control, pooler, err) || !pgm_console_start(pooler, err) ||
	    !(pooler->secrets = pgm_secrets_start(pooler, err)) || !(pooler->hosts = pgm_hosts_start(err)))
		return false;
	pgm_peers_configure(pooler);
	pgm_peers_resolve(pooler);
	pgm_pooler_warm(pooler);
	unsigned count = worker_count(config);
	for (unsigned i = 0; i < count; i++) {
		pooler->workers[i] = pgm_worker_new(pooler, i, err);
		if (!pooler->workers[i])
			return false;
		pooler->worker_count = i + 1;
	}
	for (unsigned i = 0; i < count; i++)
		if (!pgm_worker_start(pooler->workers[i], err))
			return false;
	pgm_console_open_views(pooler);
	return true;
}

static void reload(struct pgm_pooler *pooler)
{
	struct pgm_error err = {0};
	char state[64];
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)pgm_loop_clock_us());
	if (!pooler->guest)
		pgm_notify_service(state);
	if (!pgm_pooler_reload(pooler, &err))
		pgm_log(PGM_LOG_ERROR, "the configuration is not reloaded, the old one stays: %s",
			err.message);
	if (!pooler->guest)
		pgm_notify_service("READY=1");
}

/* What PgBouncer 1.25 does: the first signal says what is waited for, the second one waits no longer. */
static void shut_down(struct pgm_pooler *pooler, enum pgm_pooler_state state, const char *why)
{
	bool again = atomic_load(&pooler->state) >= PGM_POOLER_WAIT_CLIENTS;
	if (again || state == PGM_POOLER_ENDING)
		pgm_log(PGM_LOG_NOTICE, "got %s, shutting down at once", why);
	else
		pgm_log(PGM_LOG_NOTICE, "got %s, shutting down when all %s", why,
			state == PGM_POOLER_WAIT_CLIENTS ? "clients have left" : "servers are released");
	atomic_store(&pooler->state, again ? PGM_POOLER_ENDING : state);
	if (!again && state == PGM_POOLER_WAIT_SERVERS)
		atomic_store(&pooler->paused, true);
	if (!pooler->guest)
		pgm_notify_service("STOPPING=1");
}

static void on_signal(struct pgm_pooler *pooler, int number)
{
	switch (number) {
	case SIGHUP:
		if (!pooler->guest)
			pgm_log_reopen();
		reload(pooler);
		break;
	case SIGINT:
		shut_down(pooler, PGM_POOLER_WAIT_SERVERS, "SIGINT");
		break;
	case SIGTERM:
		shut_down(pooler, PGM_POOLER_WAIT_CLIENTS, "SIGTERM");
		break;
	case SIGQUIT:
		shut_down(pooler, PGM_POOLER_ENDING, "SIGQUIT");
		break;
	case SIGUSR1:
		atomic_store(&pooler->paused, true);
		break;
	case SIGUSR2:
		if (atomic_load(&pooler->state) != PGM_POOLER_WAIT_SERVERS)
			atomic_store(&pooler->paused, false);
		break;
	default:
		break;
	}
}

/*
 * Clients that are being served or logging in; one that only holds a socket open is not waited for, nor one
 * that came when the console alone was open.
 */
static bool has_clients(const struct pgm_worker *worker)
{
	const struct pgm_client *client;
	uint64_t now = pgm_loop_clock_us();
	pgm_list_each(&worker->clients, client, struct pgm_client,
		      link) if (client->state != PGM_CLIENT_CONSOLE && client->state < PGM_CLIENT_CLOSING &&
				(client->state >= PGM_CLIENT_WELCOME ||
				 (!pgm_client_is_late(client) &&
				  now - client->connected_us < LOGIN_PATIENCE_US))) return true;
	return false;
}

static bool has_busy_servers(const struct pgm_worker *worker)
{
	for (size_t i = 0; i < worker->share_capacity; i++)
		if (worker->shares[i] && worker->shares[i]->busy.count)
			return true;
	return false;
}

/* Whether a shutdown that waits has come to its end. */
static bool has_ended(struct pgm_pooler *pooler)
{
	int state = atomic_load(&pooler->state);
	if (state < PGM_POOLER_WAIT_CLIENTS || !atomic_load(&pooler->drained_us))
		return state == PGM_POOLER_ENDING;
	if (state == PGM_POOLER_ENDING)
		return true;
	/* one on its way to another worker is in no list */
	bool busy = state == PGM_POOLER_WAIT_CLIENTS && atomic_load(&pooler->client_count) > 0;
	pgm_pooler_lock_all(pooler);
	for (unsigned w = 0; w < pooler->worker_count && !busy; w++)
		busy = state == PGM_POOLER_WAIT_CLIENTS ? has_clients(pooler->workers[w])
							: has_busy_servers(pooler->workers[w]);
	pgm_pooler_unlock_all(pooler);
	return !busy;
}

struct signals {
	struct pgm_source source;
	struct pgm_pooler *pooler;
};

static void read_signals(struct pgm_source *source, uint32_t events)
{
	(void)events;
	struct signalfd_siginfo info;
	while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(((struct signals *)source)->pooler, (int)info.ssi_signo);
}

void pgm_pooler_block_signals(sigset_t *set)
{
	sigemptyset(set);
	const int numbers[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaddset(set, numbers[i]);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static bool watch_signals(struct pgm_pooler *pooler, struct signals *signals)
{
	sigset_t set;
	pgm_pooler_block_signals(&set);
	signals->pooler = pooler;
	signals->source.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	signals->source.ready = read_signals;
	return signals->source.fd >= 0;
}

static void free_pooler(struct pgm_pooler *pooler)
{
	pgm_tls_context_free(pooler->client_tls);
	pgm_tls_context_free(pooler->server_tls);
	pgm_pooler_free_tables(pooler);
	free(pooler->console);
	free(pooler->listeners);
	pgm_pool_config_free(pooler->config);
	pthread_mutex_destroy(&pooler->admin_lock);
	pthread_mutex_destroy(&pooler->lock);
	free(pooler);
}

static void finish(struct pgm_pooler *pooler)
{
	pgm_console_close_views(pooler);
	for (unsigned i = 0; i < pooler->worker_count; i++)
		pgm_worker_stop(pooler->workers[i]);
	pgm_secrets_stop(pooler->secrets);
	pgm_hosts_stop(pooler->hosts);
	pgm_console_end(pooler);
	for (unsigned i = 0; i < pooler->worker_count; i++)
		pgm_worker_drain(pooler->workers[i]);
	for (unsigned i = 0; i < pooler->worker_count; i++)
		pgm_worker_free(pooler->workers[i]);
	pgm_listen_close(pooler);
	pgm_loop_done(&pooler->control);
	if (pooler->config->pidfile && *pooler->config->pidfile)
		unlink(pooler->config->pidfile);
	free_pooler(pooler);
}

/* The parent, which waits for this, ends; nothing of its terminal is kept. */
static void say_ready(int ready_fd)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ssize_t written = write(ready_fd, "1", 1);
	(void)written;
	close(ready_fd);
	if (null >= 0) {
		dup2(null, STDERR_FILENO);
		close(null);
	}
}

static void forget_now_and_then(struct pgm_pooler *pooler)
{
	static uint64_t last_us; /* this thread's alone */
	uint64_t now = pgm_loop_clock_us();
	if (now - last_us < FORGET_PERIOD_US)
		return;
	last_us = now;
	pthread_mutex_lock(&pooler->admin_lock);
	pgm_pooler_forget(pooler);
	pgm_hosts_watch(pooler);
	pthread_mutex_unlock(&pooler->admin_lock);
}

static void announce(const struct pgm_pooler *pooler)
{
	const struct pgm_pool_config *config = pooler->config;
	pgm_log(PGM_LOG_NOTICE, "pgmend " PGM_VERSION " pools with %u workers, listening on %s port %lld%s%s",
		pooler->worker_count,
		config->listen_addr && *config->listen_addr ? config->listen_addr : "no address",
		(long long)config->listen_port,
		config->unix_socket_dir && *config->unix_socket_dir ? " and in " : "",
		config->unix_socket_dir ? config->unix_socket_dir : "");
}

static struct pgm_pooler *new_pooler(struct pgm_pool_config *config, struct pgm_error *err)
{
	struct pgm_pooler *pooler = calloc(1, sizeof(*pooler));
	if (!pooler) {
		pgm_pool_config_free(config);
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	pooler->config = config;
	pooler->started_us = pgm_loop_clock_us();
	pooler->started_at = (int64_t)time(NULL);
	pthread_mutex_init(&pooler->admin_lock, NULL);
	pthread_mutex_init(&pooler->lock, NULL);
	raise_file_limit(config);
	return pooler;
}

/* Where threads run already, nothing has been served, and the process ends with this. */
static void give_up(struct pgm_pooler *pooler)
{
	pgm_listen_close(pooler);
	if (pooler->hosts)
		return;
	pgm_secrets_stop(pooler->secrets);
	free_pooler(pooler);
}

static void run(struct pgm_pooler *pooler)
{
	while (!has_ended(pooler)) {
		pgm_loop_run_once(&pooler->control, &pooler->admin_lock, 100);
		pgm_console_tick(pooler);
		forget_now_and_then(pooler);
		pgm_listen_drain(pooler);
	}
	finish(pooler);
}

int pgm_pool_main(struct pgm_pool_config *config, int ready_fd, struct pgm_error *err)
{
	struct signals signals;
	struct pgm_pooler *pooler = new_pooler(config, err);
	if (!pooler)
		return -1;
	if (!watch_signals(pooler, &signals) || !start(pooler, err)) {
		give_up(pooler);
		return -1;
	}
	pgm_loop_add(&pooler->control, &signals.source, 0);
	announce(pooler);
	if (ready_fd >= 0)
		say_ready(ready_fd);
	pgm_notify_service("READY=1");
	run(pooler);
	close(signals.source.fd);
	return 0;
}

/* In another program: signals come through a pipe. */
struct pgm_pooler_guest {
	struct signals signals; /* its source reads the pipe */
	struct pgm_pooler *pooler;
	pthread_t thread;
	int pipe[2];
	void (*ended)(void *data);
	void *data;
};

static void read_pipe(struct pgm_source *source, uint32_t events)
{
	unsigned char number;
	(void)events;
	while (read(source->fd, &number, 1) == 1)
		on_signal(((struct signals *)source)->pooler, number);
}

static void *run_guest(void *data)
{
	struct pgm_pooler_guest *guest = data;
	run(guest->pooler);
	guest->pooler = NULL;
	if (guest->ended)
		guest->ended(guest->data);
	return NULL;
}

struct pgm_pooler_guest *pgm_pooler_start(struct pgm_pool_config *config, void (*ended)(void *data),
					  void *data, struct pgm_error *err)
{
	struct pgm_pooler_guest *guest = calloc(1, sizeof(*guest));
	if (!guest || pipe2(guest->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "cannot start the pooler: %s", strerror(errno));
		pgm_pool_config_free(config);
		free(guest);
		return NULL;
	}
	guest->ended = ended;
	guest->data = data;
	guest->pooler = new_pooler(config, err);
	if (guest->pooler) {
		guest->pooler->guest = true;
		guest->signals.pooler = guest->pooler;
		guest->signals.source.fd = guest->pipe[0];
		guest->signals.source.ready = read_pipe;
		if (start(guest->pooler, err)) {
			pgm_loop_add(&guest->pooler->control, &guest->signals.source, 0);
			announce(guest->pooler);
			if (pthread_create(&guest->thread, NULL, run_guest, guest) == 0)
				return guest;
			pgm_error_set(err, PGM_ERR_SYSTEM, "cannot start a thread");
		}
		give_up(guest->pooler);
	}
	close(guest->pipe[0]);
	close(guest->pipe[1]);
	free(guest);
	return NULL;
}

void pgm_pooler_signal(struct pgm_pooler_guest *guest, int number)
{
	unsigned char byte = (unsigned char)number;
	ssize_t written = write(guest->pipe[1], &byte, 1);
	(void)written;
}

void pgm_pooler_join(struct pgm_pooler_guest *guest)
{
	if (!guest)
		return;
	pthread_join(guest->thread, NULL);
	close(guest->pipe[0]);
	close(guest->pipe[1]);
	free(guest);
}
