/*
 * The process: sockets, workers, signals. The main thread is the control thread: it handles signals, reloads,
 * and runs the console's commands.
 */
#include "pool/background.h"
#include "pool/console.h"
#include "pool/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static bool add_listener(struct pgm_pooler *pooler, int fd)
{
	int *grown = realloc(pooler->listeners, (pooler->listener_count + 1) * sizeof(int));
	if (!grown)
		return false;
	pooler->listeners = grown;
	pooler->listeners[pooler->listener_count++] = fd;
	return true;
}

static bool listen_at(struct pgm_pooler *pooler, const struct addrinfo *at, const char *name,
		      struct pgm_error *err)
{
	const struct pgm_pool_config *config = pooler->config;
	int one = 1;
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot make a socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (config->so_reuseport)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, (int)config->listen_backlog) < 0) {
		int error = errno;
		close(fd);
		return pgm_error_set(err, PGM_ERR_USAGE, "cannot listen on %s port %lld: %s", name,
				     (long long)config->listen_port, strerror(error));
	}
	if (config->tcp_defer_accept > 0) {
		int seconds = (int)config->tcp_defer_accept;
		setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
	}
	return add_listener(pooler, fd) || pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
}

static bool listen_tcp(struct pgm_pooler *pooler, struct pgm_error *err)
{
	const struct pgm_pool_config *config = pooler->config;
	char names[1024], port[16];
	if (!config->listen_addr || !*config->listen_addr || config->listen_port <= 0)
		return true;
	snprintf(names, sizeof(names), "%s", config->listen_addr);
	snprintf(port, sizeof(port), "%lld", (long long)config->listen_port);
	char *rest = names;
	for (char *name; (name = strsep(&rest, ","));) {
		while (*name == ' ')
			name++;
		struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
		int failed = getaddrinfo(strcmp(name, "*") == 0 ? NULL : name, port, &hints, &found);
		if (failed)
			return pgm_error_set(err, PGM_ERR_USAGE, "cannot listen on %s: %s", name,
					     gai_strerror(failed));
		bool ok = true, any = false;
		for (struct addrinfo *at = found; at; at = at->ai_next)
			if (listen_at(pooler, at, name, err))
				any = true;
			else
				ok = false;
		freeaddrinfo(found);
		if (!ok && !any)
			return false;
	}
	return true;
}

static bool listen_unix(struct pgm_pooler *pooler, struct pgm_error *err)
{
	const struct pgm_pool_config *config = pooler->config;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!config->unix_socket_dir || !*config->unix_socket_dir)
		return true;
	int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.%lld",
			      config->unix_socket_dir, (long long)config->listen_port);
	if (length < 0 || (size_t)length >= sizeof(address.sun_path))
		return pgm_error_set(err, PGM_ERR_USAGE, "unix_socket_dir %s is too long", config->unix_socket_dir);
	bool abstract = address.sun_path[0] == '@';
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length + !abstract);
	char path[sizeof(address.sun_path)];
	memcpy(path, address.sun_path, sizeof(path));
	if (abstract)
		address.sun_path[0] = '\0';
	/* a socket that nobody answers on is left from a process that died */
	if (fd >= 0 && !abstract && connect(fd, (struct sockaddr *)&address, size) < 0 && errno == ECONNREFUSED)
		unlink(path);
	if (fd >= 0)
		close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    listen(fd, (int)config->listen_backlog) < 0) {
		int error = errno;
		if (fd >= 0)
			close(fd);
		return pgm_error_set(err, PGM_ERR_USAGE, "cannot listen on %s: %s", path, strerror(error));
	}
	if (!abstract) {
		chmod(path, (mode_t)config->unix_socket_mode);
		struct group *group = config->unix_socket_group && *config->unix_socket_group
					      ? getgrnam(config->unix_socket_group)
					      : NULL;
		if (group && chown(path, (uid_t)-1, group->gr_gid) < 0)
			pgm_log(PGM_LOG_WARNING, "cannot give %s to group %s: %s", path,
				config->unix_socket_group, strerror(errno));
	}
	return add_listener(pooler, fd) || pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
}

static void remove_unix_socket(const struct pgm_pool_config *config)
{
	char path[128];
	if (config->unix_socket_dir && *config->unix_socket_dir && *config->unix_socket_dir != '@') {
		snprintf(path, sizeof(path), "%s/.s.PGSQL.%lld", config->unix_socket_dir,
			 (long long)config->listen_port);
		unlink(path);
	}
}

static bool make_tls(const struct pgm_pool_tls *settings, bool server, struct pgm_tls_context **context,
		     struct pgm_error *err)
{
	struct pgm_tls_files files = {
		.ca_file = settings->ca_file,
		.cert_file = settings->cert_file,
		.key_file = settings->key_file,
		.protocols = settings->protocols,
		.ciphers = settings->ciphers,
		.ciphers13 = settings->ciphers13,
		.verify_peer = settings->mode >= PGM_SSL_VERIFY_CA || (server && settings->ca_file),
		.require_peer = server && settings->mode >= PGM_SSL_VERIFY_CA,
	};
	*context = NULL;
	if (settings->mode == PGM_SSL_DISABLE)
		return true;
	*context = pgm_tls_context_new(&files, server, err);
	return *context || pgm_error_context(err, server ? "client_tls" : "server_tls");
}

static unsigned worker_count(const struct pgm_pool_config *config)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t count = config->workers > 0 ? config->workers : cores > 0 ? cores : 1;
	return count > PGM_POOL_WORKERS_MAX ? PGM_POOL_WORKERS_MAX : (unsigned)count;
}

/* One client and one server each, and some for the process. */
static void raise_file_limit(const struct pgm_pool_config *config)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	rlim_t wanted = (rlim_t)config->max_client_conn * 2 + 1024;
	if (limit.rlim_cur < wanted) {
		limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || wanted < limit.rlim_max ? wanted : limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur < (rlim_t)config->max_client_conn + 64)
		pgm_log(PGM_LOG_WARNING, "max_client_conn is %lld, but the process may open %llu files",
			(long long)config->max_client_conn, (unsigned long long)limit.rlim_cur);
}

static bool start(struct pgm_pooler *pooler, struct pgm_error *err)
{
	const struct pgm_pool_config *config = pooler->config;
	if (!make_tls(&config->client_tls, true, &pooler->client_tls, err) ||
	    !make_tls(&config->server_tls, false, &pooler->server_tls, err) || !listen_tcp(pooler, err) ||
	    !listen_unix(pooler, err))
		return false;
	if (!pooler->listener_count)
		return pgm_error_set(err, PGM_ERR_USAGE, "nothing to listen on: set listen_addr or unix_socket_dir");
	if (!pgm_loop_init(&pooler->control, pooler, err) ||
	    !(pooler->background = pgm_background_start(pooler, err)))
		return false;
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
	return true;
}

static void reload(struct pgm_pooler *pooler)
{
	struct pgm_error err = {0};
	if (!pgm_pooler_reload(pooler, &err))
		pgm_log(PGM_LOG_ERROR, "the configuration is not reloaded, the old one stays: %s", err.message);
}

static void on_signal(struct pgm_pooler *pooler, int number)
{
	switch (number) {
	case SIGHUP:
		pgm_log_reopen();
		reload(pooler);
		break;
	case SIGINT:
		pgm_log(PGM_LOG_NOTICE, "got SIGINT, shutting down, waiting for all servers connections to be "
					"released");
		atomic_store(&pooler->state, PGM_POOLER_WAIT_SERVERS);
		atomic_store(&pooler->paused, true);
		break;
	case SIGTERM:
		if (atomic_load(&pooler->state) == PGM_POOLER_WAIT_CLIENTS) {
			atomic_store(&pooler->state, PGM_POOLER_ENDING);
			break;
		}
		pgm_log(PGM_LOG_NOTICE, "got SIGTERM, fast exit");
		atomic_store(&pooler->state, PGM_POOLER_ENDING);
		break;
	case SIGQUIT:
		pgm_log(PGM_LOG_NOTICE, "got SIGQUIT, fast exit");
		atomic_store(&pooler->state, PGM_POOLER_ENDING);
		break;
	case SIGUSR1:
		atomic_store(&pooler->paused, true);
		break;
	case SIGUSR2:
		atomic_store(&pooler->paused, false);
		break;
	default:
		break;
	}
}

/* Whether a shutdown that waits has come to its end. */
static bool has_ended(struct pgm_pooler *pooler)
{
	int state = atomic_load(&pooler->state);
	if (state == PGM_POOLER_ENDING)
		return true;
	if (state == PGM_POOLER_WAIT_CLIENTS)
		return atomic_load(&pooler->client_count) == 0;
	if (state != PGM_POOLER_WAIT_SERVERS)
		return false;
	bool busy = false;
	pgm_pooler_lock_all(pooler);
	for (unsigned w = 0; w < pooler->worker_count && !busy; w++)
		for (size_t i = 0; i < pooler->workers[w]->share_capacity; i++)
			busy |= pooler->workers[w]->shares[i] && pooler->workers[w]->shares[i]->busy.count;
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

static bool watch_signals(struct pgm_pooler *pooler, struct signals *signals)
{
	sigset_t set;
	sigemptyset(&set);
	const int numbers[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaddset(&set, numbers[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals->pooler = pooler;
	signals->source.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	signals->source.ready = read_signals;
	return signals->source.fd >= 0;
}

static void finish(struct pgm_pooler *pooler)
{
	for (unsigned i = 0; i < pooler->worker_count; i++)
		pgm_worker_stop(pooler->workers[i]);
	pgm_background_stop(pooler->background);
	for (unsigned i = 0; i < pooler->worker_count; i++)
		pgm_worker_drain(pooler->workers[i]);
	for (unsigned i = 0; i < pooler->worker_count; i++)
		pgm_worker_free(pooler->workers[i]);
	for (size_t i = 0; i < pooler->listener_count; i++)
		close(pooler->listeners[i]);
	remove_unix_socket(pooler->config);
	pgm_loop_done(&pooler->control);
	pgm_tls_context_free(pooler->client_tls);
	pgm_tls_context_free(pooler->server_tls);
	pgm_pooler_free_tables(pooler);
	free(pooler->listeners);
	pgm_pool_config_free(pooler->config);
}

static void announce(const struct pgm_pooler *pooler)
{
	const struct pgm_pool_config *config = pooler->config;
	pgm_log(PGM_LOG_NOTICE, "pgmend " PGM_VERSION " pools with %u workers, listening on %s port %lld%s%s",
		pooler->worker_count, config->listen_addr && *config->listen_addr ? config->listen_addr : "no address",
		(long long)config->listen_port, config->unix_socket_dir && *config->unix_socket_dir ? " and in " : "",
		config->unix_socket_dir ? config->unix_socket_dir : "");
}

int pgm_pool_main(struct pgm_pool_config *config, int ready_fd, struct pgm_error *err)
{
	struct pgm_pooler *pooler = calloc(1, sizeof(*pooler));
	struct signals signals;
	if (!pooler) {
		pgm_pool_config_free(config);
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return -1;
	}
	pooler->config = config;
	pooler->started_us = pgm_loop_clock_us();
	pooler->started_at = (int64_t)time(NULL);
	pthread_mutex_init(&pooler->admin_lock, NULL);
	pthread_mutex_init(&pooler->lock, NULL);
	raise_file_limit(config);
	bool watching = watch_signals(pooler, &signals);
	if (!watching || !start(pooler, err)) {
		/* nothing has been served yet: the process ends with this */
		return -1;
	}
	pgm_loop_add(&pooler->control, &signals.source, 0);
	announce(pooler);
	if (ready_fd >= 0) {
		ssize_t written = write(ready_fd, "1", 1);
		(void)written;
		close(ready_fd);
	}
	pgm_notify_service("READY=1");
	while (!has_ended(pooler)) {
		pgm_loop_run_once(&pooler->control, &pooler->admin_lock, 100);
		pgm_console_tick(pooler);
	}
	pgm_notify_service("STOPPING=1");
	finish(pooler);
	close(signals.source.fd);
	pthread_mutex_destroy(&pooler->admin_lock);
	pthread_mutex_destroy(&pooler->lock);
	free(pooler);
	return 0;
}
