/*
 * What the server's machine knows of its sessions and SQL does not tell: each process's own memory, and
 * whether the client's end of the connection is closed. Looked at only where a process of that id began when
 * the session did, so that another machine's (or container's) process is never taken for it.
 */
#include "sessions/sessions.h"

#include "util/vec.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_TOLERANCE_S    3 /* /proc counts in ticks since a boot whose time is whole seconds */
#define TCP_STATE_CLOSE_WAIT 8
#define TCP_STATE_CONNECTED  1
#define UNIX_SHUTDOWN_BOTH   3
#define ANSWER_BYTES	     32768

struct tcp_row {
	char address[INET6_ADDRSTRLEN];
	int port;
	int state;
};

struct unix_row {
	unsigned long inode;
	bool gone;
};

struct host {
	struct pgm_arena *arena;
	double boot_epoch_s;
	PGM_VEC(struct tcp_row) tcp;
	PGM_VEC(struct unix_row) unix_sockets;
	bool unix_read;
};

static bool read_boot_time(struct host *host)
{
	char line[256];
	FILE *file = fopen("/proc/stat", "r");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "btime ", 6) == 0)
			host->boot_epoch_s = strtod(line + 6, NULL);
	if (file)
		fclose(file);
	return host->boot_epoch_s > 0;
}

/* The process is one of PostgreSQL's and began when the session did. */
static bool is_process_of(const struct host *host, const struct pgm_session *session)
{
	char path[64], text[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", session->pid);
	FILE *file = fopen(path, "r");
	if (!file)
		return false;
	size_t length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	/* "pid (name) state ...": the name may hold anything, the start is the 20th word after it. */
	const char *name = strchr(text, '('), *at = strrchr(text, ')');
	if (!name || !at || strncmp(name + 1, "postgres", 8) != 0)
		return false;
	for (int word = 0; word < 20 && *at; word++) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	double began = host->boot_epoch_s + strtod(at, NULL) / (double)sysconf(_SC_CLK_TCK);
	return fabs(began - session->backend_start_epoch_s) <= START_TOLERANCE_S;
}

/* What is its own: the shared buffers that it has touched are not. */
static int64_t read_memory(int pid)
{
	char path[64], line[256];
	long long kilobytes = -1;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "RssAnon:", 8) == 0)
			kilobytes = strtoll(line + 8, NULL, 10);
	if (file)
		fclose(file);
	return kilobytes < 0 ? -1 : (int64_t)kilobytes * 1024;
}

/* "0100007F:1538": words of the machine's byte order. */
static bool parse_address(const char *text, struct tcp_row *row)
{
	unsigned char bytes[16];
	static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	size_t words = strcspn(text, ":") / 8;
	if ((words != 1 && words != 4) || text[words * 8] != ':')
		return false;
	for (size_t i = 0; i < words; i++) {
		char word[9] = "";
		memcpy(word, text + i * 8, 8);
		uint32_t value = (uint32_t)strtoul(word, NULL, 16);
		memcpy(bytes + i * 4, &value, 4);
	}
	row->port = (int)strtol(text + words * 8 + 1, NULL, 16);
	bool is_mapped = words == 4 && memcmp(bytes, mapped, sizeof(mapped)) == 0;
	return inet_ntop(words == 1 || is_mapped ? AF_INET : AF_INET6, is_mapped ? bytes + 12 : bytes,
			 row->address, sizeof(row->address)) != NULL;
}

/* Both families, in the network that the server's process is in. */
static void read_tcp(struct host *host, int pid)
{
	static const char *const names[] = {"tcp", "tcp6"};
	for (int i = 0; i < 2; i++) {
		char path[64], line[512], remote[64];
		unsigned state;
		snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, names[i]);
		FILE *file = fopen(path, "r");
		while (file && fgets(line, sizeof(line), file)) {
			struct tcp_row row = {0};
			if (sscanf(line, " %*d: %*63s %63s %x", remote, &state) != 2 ||
			    !parse_address(remote, &row))
				continue;
			row.state = (int)state;
			*pgm_vec_add(host->arena, &host->tcp) = row;
		}
		if (file)
			fclose(file);
	}
}

static void take_unix_answer(struct host *host, const struct nlmsghdr *header)
{
	const struct unix_diag_msg *message = NLMSG_DATA(header);
	long left = (long)header->nlmsg_len - (long)NLMSG_LENGTH(sizeof(*message));
	const char *at = (const char *)message + NLMSG_ALIGN(sizeof(*message));
	bool server = false, gone = false;
	while (left >= (long)sizeof(struct nlattr)) {
		struct nlattr attribute;
		memcpy(&attribute, at, sizeof(attribute));
		if (attribute.nla_len < sizeof(attribute) || attribute.nla_len > left)
			break;
		const char *value = at + NLA_HDRLEN;
		size_t length = attribute.nla_len - (size_t)NLA_HDRLEN;
		if (attribute.nla_type == UNIX_DIAG_NAME)
			server = memmem(value, length, ".s.PGSQL.", 9) != NULL;
		if (attribute.nla_type == UNIX_DIAG_SHUTDOWN && length >= 1)
			gone = (*value & UNIX_SHUTDOWN_BOTH) == UNIX_SHUTDOWN_BOTH;
		at += NLA_ALIGN(attribute.nla_len);
		left -= (long)NLA_ALIGN(attribute.nla_len);
	}
	/* Only the server's ends have a name; a session's own connections to other servers do not. */
	if (server)
		*pgm_vec_add(host->arena, &host->unix_sockets) = (struct unix_row){message->udiag_ino, gone};
}

/* All Unix sockets of this network namespace, with which ends are closed; says nothing where it fails. */
static void read_unix(struct host *host)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req request;
	} ask = {
		.header = {.nlmsg_len = sizeof(ask),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = UDIAG_SHOW_NAME},
	};
	struct timeval limit = {.tv_sec = 2};
	host->unix_read = true;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return;
	char *answer = pgm_arena_alloc(host->arena, ANSWER_BYTES);
	bool more = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
		    send(fd, &ask, sizeof(ask), 0) == sizeof(ask);
	while (more) {
		ssize_t length = recv(fd, answer, ANSWER_BYTES, 0);
		if (length <= 0)
			break;
		size_t left = (size_t)length;
		for (struct nlmsghdr *header = (struct nlmsghdr *)answer; NLMSG_OK(header, left);
		     header = NLMSG_NEXT(header, left)) {
			more = header->nlmsg_type == SOCK_DIAG_BY_FAMILY;
			if (!more)
				break;
			take_unix_answer(host, header);
		}
	}
	close(fd);
}

/* The socket through which the client came, by what the process has open: its owner and root may look. */
static enum pgm_session_client look_unix(struct host *host, int pid)
{
	char path[320], target[128];
	enum pgm_session_client found = PGM_CLIENT_UNKNOWN;
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *folder = opendir(path);
	if (!folder)
		return found;
	if (!host->unix_read)
		read_unix(host);
	for (const struct dirent *entry; found == PGM_CLIENT_UNKNOWN && (entry = readdir(folder));) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, entry->d_name);
		ssize_t length = readlink(path, target, sizeof(target) - 1);
		unsigned long inode;
		if (length <= 0)
			continue;
		target[length] = '\0';
		if (sscanf(target, "socket:[%lu]", &inode) != 1)
			continue;
		for (size_t i = 0; i < host->unix_sockets.count; i++)
			if (host->unix_sockets.items[i].inode == inode)
				found = host->unix_sockets.items[i].gone ? PGM_CLIENT_GONE : PGM_CLIENT_THERE;
	}
	closedir(folder);
	return found;
}

static enum pgm_session_client look_tcp(const struct host *host, const struct pgm_session *session)
{
	for (size_t i = 0; i < host->tcp.count; i++) {
		const struct tcp_row *row = &host->tcp.items[i];
		if (row->port != session->client_port || strcmp(row->address, session->client_addr) != 0)
			continue;
		if (row->state == TCP_STATE_CLOSE_WAIT)
			return PGM_CLIENT_GONE;
		if (row->state == TCP_STATE_CONNECTED)
			return PGM_CLIENT_THERE;
	}
	return PGM_CLIENT_UNKNOWN;
}

void pgm_sessions_look_at_host(struct pgm_sessions *sessions, struct pgm_arena *arena)
{
	struct host host = {.arena = arena};
	const struct pgm_session *own = NULL;
	for (size_t i = 0; i < sessions->count; i++)
		if (sessions->items[i].own)
			own = &sessions->items[i];
	if (!own || !read_boot_time(&host) || !is_process_of(&host, own))
		return;
	sessions->on_server = true;
	read_tcp(&host, own->pid);
	for (size_t i = 0; i < sessions->count; i++) {
		struct pgm_session *session = &sessions->items[i];
		if (!session->pid || !is_process_of(&host, session))
			continue;
		session->memory_bytes = read_memory(session->pid);
		if (session->own)
			session->client = PGM_CLIENT_THERE;
		else if (session->client_addr)
			session->client = look_tcp(&host, session);
		else if (session->client_port < 0)
			session->client = look_unix(&host, session->pid);
	}
}
