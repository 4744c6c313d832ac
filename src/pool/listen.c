#include "pool/listen.h"

#include "pool/worker.h"

#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define STEER_STEP_US 100000 /* so long nobody new: the others take them */
#define STEER_STEPS   10

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
	pgm_stream_stop_pacing(fd, at->ai_addr);
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

static int unix_server(const struct sockaddr_un *address, socklen_t size, int backlog)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && bind(fd, (const struct sockaddr *)address, size) == 0 && listen(fd, backlog) == 0)
		return fd;
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

/* Whether a process answers there; what a process that died has left is removed. */
static bool is_served(const struct sockaddr_un *address, socklen_t size)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused =
		fd >= 0 && connect(fd, (const struct sockaddr *)address, size) < 0 && errno == ECONNREFUSED;
	bool served = fd >= 0 && !refused && errno != ENOENT;
	if (fd >= 0)
		close(fd);
	if (refused)
		unlink(address->sun_path);
	return served;
}

/* A name of our own first, then in the place of the other process's: at no time is there no socket. */
static int take_over_unix(const struct sockaddr_un *address, int backlog)
{
	struct sockaddr_un own = {.sun_family = AF_UNIX};
	int length =
		snprintf(own.sun_path, sizeof(own.sun_path), "%.90s.%d", address->sun_path, (int)getpid());
	if (length < 0 || (size_t)length >= sizeof(own.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	unlink(own.sun_path);
	int fd = unix_server(&own, sizeof(own), backlog);
	if (fd >= 0 && rename(own.sun_path, address->sun_path) < 0) {
		int error = errno;
		close(fd);
		unlink(own.sun_path);
		errno = error;
		return -1;
	}
	return fd;
}

static void give_rights(struct pgm_pooler *pooler, const char *path)
{
	const struct pgm_pool_config *config = pooler->config;
	struct stat status;
	chmod(path, (mode_t)config->unix_socket_mode);
	struct group *group = config->unix_socket_group && *config->unix_socket_group
				      ? getgrnam(config->unix_socket_group)
				      : NULL;
	if (group && chown(path, (uid_t)-1, group->gr_gid) < 0)
		pgm_log(PGM_LOG_WARNING, "cannot give %s to group %s: %s", path, config->unix_socket_group,
			strerror(errno));
	if (stat(path, &status) == 0)
		pooler->unix_socket_inode = status.st_ino;
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
		return pgm_error_set(err, PGM_ERR_USAGE, "unix_socket_dir %s is too long",
				     config->unix_socket_dir);
	bool abstract = address.sun_path[0] == '@';
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length + !abstract);
	char path[sizeof(address.sun_path)];
	memcpy(path, address.sun_path, sizeof(path));
	if (abstract)
		address.sun_path[0] = '\0';
	int fd = !abstract && is_served(&address, size) && config->so_reuseport
			 ? take_over_unix(&address, (int)config->listen_backlog)
			 : unix_server(&address, size, (int)config->listen_backlog);
	if (fd < 0)
		return pgm_error_set(err, PGM_ERR_USAGE, "cannot listen on %s: %s", path, strerror(errno));
	if (!abstract)
		give_rights(pooler, path);
	return add_listener(pooler, fd) || pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
}

/* Whether our Unix socket is still the one of its name: a newer process puts its own in its place. */
static bool has_unix_socket(const struct pgm_pooler *pooler, char *path, size_t size)
{
	const struct pgm_pool_config *config = pooler->config;
	struct stat status;
	snprintf(path, size, "%s/.s.PGSQL.%lld", config->unix_socket_dir ? config->unix_socket_dir : "",
		 (long long)config->listen_port);
	return pooler->unix_socket_inode && stat(path, &status) == 0 &&
	       status.st_ino == pooler->unix_socket_inode;
}

bool pgm_listen_open(struct pgm_pooler *pooler, struct pgm_error *err)
{
	if (!listen_tcp(pooler, err) || !listen_unix(pooler, err))
		return false;
	return pooler->listener_count > 0 ||
	       pgm_error_set(err, PGM_ERR_USAGE, "nothing to listen on: set listen_addr or unix_socket_dir");
}

void pgm_listen_close(struct pgm_pooler *pooler)
{
	char path[128];
	if (pooler->listener_count && has_unix_socket(pooler, path, sizeof(path)))
		unlink(path);
	for (size_t i = 0; i < pooler->listener_count; i++)
		close(pooler->listeners[i]);
	pooler->listener_count = 0;
}

/*
 * Have the kernel give new connections to the socket of this number among those on the port; where there is
 * none, it goes on as before. A closed listener's queue is lost, so it must be empty before (tcp_migrate_req
 * would move it, but is off by default).
 */
static void steer(const struct pgm_pooler *pooler, uint32_t number)
{
	struct sock_filter code[] = {{BPF_RET | BPF_K, 0, 0, number}};
	struct sock_fprog program = {1, code};
	for (size_t i = 0; i < pooler->listener_count; i++)
		(void)!setsockopt(pooler->listeners[i], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
				  sizeof(program));
}

/* True: clients may still come to us. Ours was the first socket on the port, if not there is another number.
 */
static bool still_steering(struct pgm_pooler *pooler)
{
	static const uint32_t numbers[STEER_STEPS] = {1, 1, 0, 2, 1, 0, 3, 2, 1, 0};
	uint64_t now = pgm_loop_clock_us(), came = atomic_load(&pooler->next_client_id);
	if (!pooler->config->so_reuseport || atomic_load(&pooler->state) != PGM_POOLER_WAIT_CLIENTS)
		return false;
	if (pooler->steer_step && now - pooler->steered_us < STEER_STEP_US)
		return true;
	/* the first step lets those come who were on their way when it began */
	if (pooler->steer_step >= STEER_STEPS || (pooler->steer_step > 1 && came == pooler->steered_clients))
		return false;
	steer(pooler, numbers[pooler->steer_step++]);
	pooler->steered_us = now;
	pooler->steered_clients = came;
	return true;
}

void pgm_listen_drain(struct pgm_pooler *pooler)
{
	char path[128];
	if (atomic_load(&pooler->state) < PGM_POOLER_WAIT_CLIENTS || atomic_load(&pooler->drained_us) ||
	    still_steering(pooler))
		return;
	bool stays = has_unix_socket(pooler, path, sizeof(path));
	pgm_pooler_lock_all(pooler);
	for (unsigned w = 0; w < pooler->worker_count; w++)
		pgm_worker_stop_accepting(pooler->workers[w], stays);
	atomic_store(&pooler->drained_us, stays ? pgm_loop_clock_us() : UINT64_MAX);
	pgm_pooler_unlock_all(pooler);
	for (size_t i = 0; i < pooler->listener_count && pooler->steer_step; i++)
		setsockopt(pooler->listeners[i], SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, NULL, 0);
	if (!stays) {
		pgm_listen_close(pooler);
		return;
	}
	for (size_t i = 0; i + 1 < pooler->listener_count; i++)
		close(pooler->listeners[i]);
	pooler->listeners[0] = pooler->listeners[pooler->listener_count - 1];
	pooler->listener_count = 1;
}
