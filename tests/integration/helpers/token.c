/*
 * Each query gets its own token back, whatever happens to others: many raw clients on one epoll, which send
 * pipelines of queries that carry unique tokens, cancel queries, ask to cancel what does not run, die by a
 * reset; and a direct session that kills the server's backends.
 *
 *	token POOL_HOST POOL_PORT DIRECT_HOST DIRECT_PORT DATABASE QUERIES [key=value]...
 *
 * A host that begins with "/" is the folder of a Unix socket. Prints one line of JSON; exit code 0 where
 * nothing was wrong. Wrong is a row that is not the next token of the query that its client awaits, an answer
 * out of order, and a failure that nothing explains: a cancellation by a request for this very client that
 * was open when the query was sent (who asked is let go when it has done its work); a timeout where the query
 * set one; a lost server where we killed one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define UNIT_TOKENS 6 /* queries with one ReadyForQuery */
#define UNITS	    4 /* of a client in flight */
#define CANCELS	    256
#define SETTERS	    8 /* one client in so many has a setting of its own */
#define KEY_MAX	    260
#define STALL_US    20000000

enum {
	MAY_CANCEL = 1,	 /* it sleeps: a cancellation is wanted */
	MAY_TIMEOUT = 2, /* it sets statement_timeout */
	FAILS = 4,	 /* its last query divides by zero */
};

struct unit {
	uint64_t tokens[UNIT_TOKENS];
	int count, seen;
	int flags;
	bool failed;
	uint64_t sent_us;
	unsigned made;	 /* bits of the statements that it prepares */
	uint64_t keeps;	 /* what it sets app.token to; 0: it does not */
	bool cancelable; /* a request for this client was open while it was in flight */
};

struct client {
	int fd;
	bool ready;
	bool write_blocked;
	uint8_t key[KEY_MAX];
	int key_length;
	uint8_t *in, *out;
	size_t in_length, in_capacity, out_sent, out_length, out_capacity;
	struct unit units[UNITS];
	int first, in_flight;
	unsigned prepared; /* bits of the statements that it surely has: st0... */
	char status;	   /* of the last ReadyForQuery */
	uint64_t kept;	   /* its app.token; 0: it has set none */
	int open_cancels;
	uint64_t moved_us;
	uint32_t life; /* counts its connections */
};

struct cancel {
	int fd;
	int client; /* -1: nobody's key */
	uint32_t life;
};

static struct {
	unsigned long long queries, cancels, canceled, idle_cancels, gone_cancels, timeouts, resets, kills,
		lost;
	unsigned long long wrong, stray, late_us_max;
} counts;

static const char *pool_host, *direct_host, *database;
static int pool_port, direct_port;
static uint64_t wanted = 100000, seed = 1, next_token = 1, sent, last_kill_us;
static int clients_count = 64, cancel_rate = 20, reset_rate = 10, kill_rate = 2, timeout_rate = 30,
	   slow_rate = 80;
static struct client *clients;
static struct cancel cancels[CANCELS];
static uint8_t gone_keys[64][KEY_MAX];
static int gone_lengths[64], gone_count, epoll_fd;

static uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t roll(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Of 10,000 */
static bool chance(int rate)
{
	return (int)(roll() % 10000) < rate;
}

__attribute__((format(printf, 2, 3))) static void complain(unsigned long long *count, const char *format, ...)
{
	if (++*count > 20)
		return;
	va_list arguments;
	va_start(arguments, format);
	fputs("token: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

static void die(const char *what)
{
	fprintf(stderr, "token: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static int connect_to(const char *host, int port)
{
	struct sockaddr_un folder = {.sun_family = AF_UNIX};
	struct sockaddr_in internet = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	bool local = *host == '/';
	int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM, 0), on = 1;
	snprintf(folder.sun_path, sizeof(folder.sun_path), "%s/.s.PGSQL.%d", host, port);
	inet_pton(AF_INET, host, &internet.sin_addr);
	if (!local)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, local ? (struct sockaddr *)&folder : (struct sockaddr *)&internet,
		    local ? sizeof(folder) : sizeof(internet)) < 0) {
		close(fd);
		return -1;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* A startup packet; its length. */
static size_t login(uint8_t body[200])
{
	put32(body + 4, 0x00030000);
	int length =
		8 + snprintf((char *)body + 8, 150, "user%cpostgres%cdatabase%c%s%c", 0, 0, 0, database, 0);
	body[length++] = 0;
	put32(body, (uint32_t)length);
	return (size_t)length;
}

/* Bytes to send */

static void append(struct client *c, const void *bytes, size_t length)
{
	if (c->out_length + length > c->out_capacity) {
		c->out_capacity = (c->out_length + length) * 2;
		c->out = realloc(c->out, c->out_capacity);
		if (!c->out)
			die("memory");
	}
	memcpy(c->out + c->out_length, bytes, length);
	c->out_length += length;
}

static void append_message(struct client *c, char type, const void *body, size_t length)
{
	uint8_t header[5] = {(uint8_t)type};
	put32(header + 1, (uint32_t)length + 4);
	append(c, header, 5);
	append(c, body, length);
}

__attribute__((format(printf, 2, 3))) static void append_query(struct client *c, const char *format, ...)
{
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	append_message(c, 'Q', text, (size_t)length + 1);
}

static void append_parse(struct client *c, const char *name, const char *sql)
{
	char body[256];
	size_t name_length = strlen(name) + 1, sql_length = strlen(sql) + 1;
	memcpy(body, name, name_length);
	memcpy(body + name_length, sql, sql_length);
	memset(body + name_length + sql_length, 0, 2);
	append_message(c, 'P', body, name_length + sql_length + 2);
}

static void append_bind_execute(struct client *c, const char *name, uint64_t token)
{
	uint8_t body[128] = {0};
	size_t at = 1, length = strlen(name) + 1;
	memcpy(body + at, name, length);
	at += length + 2;
	body[at + 1] = 1;
	char text[24];
	int digits = snprintf(text, sizeof(text), "%llu", (unsigned long long)token);
	put32(body + at + 2, (uint32_t)digits);
	memcpy(body + at + 6, text, (size_t)digits);
	append_message(c, 'B', body, at + 6 + (size_t)digits + 2);
	append_message(c, 'E', "\0\0\0\0", 5);
}

static void begin_unit(struct client *c, struct unit **unit, int flags)
{
	*unit = &c->units[(c->first + c->in_flight++) % UNITS];
	**unit = (struct unit){.flags = flags, .sent_us = now_us(), .cancelable = c->open_cancels > 0};
}

static uint64_t token_of(struct unit *unit)
{
	sent++;
	return unit->tokens[unit->count++] = next_token++;
}

/* A token in a setting that follows the client; nothing else is under way, so that it knows what is there. */
static void ask_setting(struct client *c)
{
	struct unit *unit;
	begin_unit(c, &unit, 0);
	if (chance(3000)) {
		unit->keeps = next_token++;
		append_query(c, "SET app.token = %llu", (unsigned long long)unit->keeps);
	} else {
		sent++;
		unit->tokens[unit->count++] = c->kept;
		append_query(c, "SELECT current_setting('app.token', true)");
	}
}

/* One thing to ask: most often short, so that what goes wrong meets many others. */
static void ask(struct client *c)
{
	struct unit *unit;
	if (c->status != 'I' && !c->in_flight) {
		begin_unit(c, &unit, 0);
		append_query(c, "ROLLBACK");
		return;
	}
	if (chance(slow_rate)) {
		begin_unit(c, &unit, MAY_CANCEL);
		append_query(c, "SELECT %llu FROM pg_sleep(0.02)", (unsigned long long)token_of(unit));
		return;
	}
	if (chance(timeout_rate)) {
		begin_unit(c, &unit, MAY_TIMEOUT);
		append_query(c, "BEGIN; SET LOCAL statement_timeout = 5; SELECT %llu FROM pg_sleep(0.01)",
			     (unsigned long long)token_of(unit));
		begin_unit(c, &unit, 0);
		append_query(c, "ROLLBACK");
		return;
	}
	if ((c - clients) % SETTERS == 0 && !c->in_flight && c->status == 'I' && chance(5000)) {
		ask_setting(c);
		return;
	}
	char name[16];
	switch (roll() % 7) {
	case 0:
		begin_unit(c, &unit, 0);
		append_query(c,
			     chance(500)    ? "COPY (SELECT %llu) TO STDOUT"
			     : chance(1000) ? "SELECT %llu || repeat(' ', 20000)"
					    : "SELECT %llu",
			     (unsigned long long)token_of(unit));
		return;
	case 1:
		begin_unit(c, &unit, 0);
		append_parse(c, "", "SELECT $1::text");
		append_bind_execute(c, "", token_of(unit));
		append_message(c, 'S', "", 0);
		return;
	case 2: /* a pipeline of prepared statements, made where they are not yet */
	case 3:
		begin_unit(c, &unit, 0);
		for (int i = 1 + (int)(roll() % UNIT_TOKENS); i > 0; i--) {
			unsigned number = (unsigned)roll() % 8;
			snprintf(name, sizeof(name), "st%u", number);
			if (!(c->prepared & 1u << number)) {
				char sql[64];
				/* The same name is another text at other clients. */
				snprintf(sql, sizeof(sql), "SELECT $1::text -- %u",
					 (unsigned)((c - clients) + number) % 40);
				char close[20]; /* one before may have failed after its Parse */
				int length = snprintf(close, sizeof(close), "S%s", name);
				append_message(c, 'C', close, (size_t)length + 1);
				append_parse(c, name, sql);
				unit->made |= 1u << number;
			}
			append_bind_execute(c, name, token_of(unit));
		}
		append_message(c, 'S', "", 0);
		return;
	case 4: /* a transaction, each step answered for itself */
		if (c->in_flight > UNITS - 3)
			return;
		begin_unit(c, &unit, 0);
		append_query(c, "BEGIN");
		begin_unit(c, &unit, 0);
		append_query(c, "SELECT %llu", (unsigned long long)token_of(unit));
		begin_unit(c, &unit, 0);
		append_query(c, "COMMIT");
		return;
	case 5: /* several statements, several tokens */
		begin_unit(c, &unit, 0);
		uint64_t a = token_of(unit), b = token_of(unit);
		append_query(c, "SELECT %llu; SELECT %llu", (unsigned long long)a, (unsigned long long)b);
		return;
	default: /* one that fails after the first */
		begin_unit(c, &unit, FAILS);
		append_parse(c, "", "SELECT $1::text");
		append_bind_execute(c, "", token_of(unit));
		append_parse(c, "", "SELECT 1 / 0 WHERE $1::text IS NOT NULL");
		append_bind_execute(c, "", 0);
		append_bind_execute(c, "", 0); /* skipped */
		append_message(c, 'S', "", 0);
		return;
	}
}

/* Connections */

static void open_client(struct client *c)
{
	int index = (int)(c - clients);
	c->fd = connect_to(pool_host, pool_port);
	if (c->fd < 0)
		die("connect to the pooler");
	c->ready = c->write_blocked = false;
	c->in_length = c->out_sent = c->out_length = 0;
	c->first = c->in_flight = 0;
	c->prepared = 0;
	c->kept = 0;
	c->status = 'I';
	c->open_cancels = 0;
	c->key_length = 0;
	c->life++;
	c->moved_us = now_us();
	uint8_t body[200];
	append(c, body, login(body));
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
		die("epoll");
}

static void remember_gone(const struct client *c)
{
	if (!c->key_length)
		return;
	int at = gone_count < 64 ? gone_count++ : (int)(roll() % 64);
	memcpy(gone_keys[at], c->key, (size_t)c->key_length);
	gone_lengths[at] = c->key_length;
}

static void close_client(struct client *c, bool reset)
{
	if (reset) {
		struct linger linger = {1, 0};
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	}
	remember_gone(c);
	close(c->fd);
	open_client(c);
}

static void send_cancel(const uint8_t *key, int length, int client)
{
	struct cancel *free_slot = NULL;
	for (int i = 0; i < CANCELS && !free_slot; i++)
		if (cancels[i].fd < 0)
			free_slot = &cancels[i];
	if (!free_slot)
		return;
	int fd = connect_to(pool_host, pool_port);
	if (fd < 0)
		die("connect to the pooler to cancel");
	uint8_t packet[KEY_MAX + 8];
	put32(packet, (uint32_t)length + 8);
	put32(packet + 4, 80877102);
	memcpy(packet + 8, key, (size_t)length);
	if (send(fd, packet, (size_t)length + 8, MSG_NOSIGNAL) < 0) {
		close(fd);
		return;
	}
	*free_slot = (struct cancel){.fd = fd, .client = client};
	if (client >= 0) {
		struct client *c = &clients[client];
		free_slot->life = c->life;
		c->open_cancels++;
		for (int i = 0; i < c->in_flight; i++)
			c->units[(c->first + i) % UNITS].cancelable = true;
	}
	struct epoll_event event = {.events = EPOLLIN,
				    .data.u32 = (uint32_t)(clients_count + (free_slot - cancels))};
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
	counts.cancels++;
}

static void end_cancel(struct cancel *cancel)
{
	char byte;
	ssize_t got = recv(cancel->fd, &byte, 1, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0)
		complain(&counts.wrong, "a cancel request was answered");
	close(cancel->fd);
	cancel->fd = -1;
	if (cancel->client >= 0 && clients[cancel->client].life == cancel->life)
		clients[cancel->client].open_cancels--;
}

/* Answers */

static const char *field(const uint8_t *body, size_t length, char which)
{
	const char *at = (const char *)body, *end = at + length;
	while (at < end && *at) {
		if (*at == which)
			return at + 1;
		at += strnlen(at, (size_t)(end - at)) + 1;
	}
	return "";
}

/* A row of one column, or of COPY: head bytes, then the token and what there is behind it. */
static void on_row(struct client *c, struct unit *unit, const uint8_t *body, size_t length, size_t head)
{
	char text[32] = "";
	size_t there = length < head ? 0 : length - head;
	memcpy(text, body + head, there < sizeof(text) ? there : sizeof(text) - 1);
	uint64_t token = strtoull(text, NULL, 10);
	if (unit->seen >= unit->count || token != unit->tokens[unit->seen])
		complain(&counts.wrong, "client %d got %s instead of %llu", (int)(c - clients), text,
			 (unsigned long long)(unit->seen < unit->count ? unit->tokens[unit->seen] : 0));
	unit->seen++;
}

/* Whether the connection goes on. */
static bool on_error(struct client *c, struct unit *unit, const uint8_t *body, size_t length)
{
	const char *state = field(body, length, 'C'), *text = field(body, length, 'M');
	bool fatal = !strcmp(field(body, length, 'S'), "FATAL");
	bool killed = kill_rate && now_us() - last_kill_us < 5000000;
	if (fatal) {
		if (!strcmp(state, "53300") || !killed)
			complain(&counts.wrong, "client %d was ended: %s %s", (int)(c - clients), state,
				 text);
		counts.lost++;
		return false;
	}
	if (!unit) {
		complain(&counts.wrong, "an error for no query: %s %s", state, text);
		return true;
	}
	unit->failed = true;
	if (!strcmp(state, "57014") && strstr(text, "statement timeout")) {
		counts.timeouts++;
		if (!(unit->flags & MAY_TIMEOUT))
			complain(&counts.stray, "client %d timed out", (int)(c - clients));
	} else if (!strcmp(state, "57014")) {
		counts.canceled++;
		if (!unit->cancelable)
			complain(&counts.stray, "client %d was canceled %s", (int)(c - clients),
				 c->open_cancels ? "by an older request" : "unasked");
	} else if (!strcmp(state, "22012") && unit->flags & FAILS) {
		if (unit->seen != unit->count)
			complain(&counts.wrong, "an error came before its row");
	} else if (!strcmp(state, "25P02")) {
		/* Only where this client was told that its transaction failed: the end of it may be canceled
		 * too. */
		if (c->status != 'E')
			complain(&counts.wrong, "client %d: %s %s", (int)(c - clients), state, text);
	} else {
		complain(&counts.wrong, "client %d: %s %s", (int)(c - clients), state, text);
	}
	return true;
}

static void on_ready(struct client *c, char status)
{
	c->status = status;
	if (!c->ready) {
		c->ready = true;
		return;
	}
	if (!c->in_flight) {
		complain(&counts.wrong, "client %d got a ReadyForQuery too many", (int)(c - clients));
		return;
	}
	struct unit *unit = &c->units[c->first];
	if (!unit->failed && (unit->seen != unit->count || unit->flags & FAILS))
		complain(&counts.wrong, "client %d got %d of %d rows", (int)(c - clients), unit->seen,
			 unit->count);
	if (!unit->failed) {
		c->prepared |= unit->made;
		c->kept = unit->keeps ? unit->keeps : c->kept;
	}
	uint64_t took = now_us() - unit->sent_us;
	if (took > counts.late_us_max)
		counts.late_us_max = took;
	counts.queries += (uint64_t)unit->count;
	c->first = (c->first + 1) % UNITS;
	c->in_flight--;
}

static bool on_message(struct client *c, uint8_t type, const uint8_t *body, size_t length)
{
	struct unit *unit = c->in_flight ? &c->units[c->first] : NULL;
	switch (type) {
	case 'D':
	case 'd':
		if (!unit)
			complain(&counts.wrong, "client %d got a row of no query", (int)(c - clients));
		else
			on_row(c, unit, body, length, type == 'D' ? 6 : 0);
		return true;
	case 'E':
		return on_error(c, c->ready ? unit : NULL, body, length);
	case 'Z':
		on_ready(c, (char)*body);
		return true;
	case 'K':
		if (length <= KEY_MAX) {
			memcpy(c->key, body, length);
			c->key_length = (int)length;
		}
		return true;
	default:
		return true;
	}
}

/* False where the connection ended. */
static bool take(struct client *c)
{
	for (;;) {
		if (c->in_capacity - c->in_length < 8192) {
			c->in_capacity = c->in_capacity * 2 + 16384;
			c->in = realloc(c->in, c->in_capacity);
			if (!c->in)
				die("memory");
		}
		ssize_t got = recv(c->fd, c->in + c->in_length, c->in_capacity - c->in_length, 0);
		if (got < 0 && errno == EAGAIN)
			return true;
		if (got <= 0) {
			counts.lost++;
			if (!kill_rate || now_us() - last_kill_us > 5000000)
				complain(&counts.wrong, "client %d was dropped", (int)(c - clients));
			return false;
		}
		c->moved_us = now_us();
		c->in_length += (size_t)got;
		size_t at = 0;
		while (c->in_length - at >= 5) {
			size_t length = get32(c->in + at + 1) + (size_t)1;
			if (length < 5 || length > 1 << 20) {
				complain(&counts.wrong, "client %d got no message", (int)(c - clients));
				return false;
			}
			if (c->in_length - at < length)
				break;
			if (!on_message(c, c->in[at], c->in + at + 5, length - 5))
				return false;
			at += length;
		}
		memmove(c->in, c->in + at, c->in_length - at);
		c->in_length -= at;
		if ((size_t)got < 8192)
			return true;
	}
}

static void give(struct client *c)
{
	while (c->out_sent < c->out_length) {
		ssize_t n = send(c->fd, c->out + c->out_sent, c->out_length - c->out_sent, MSG_NOSIGNAL);
		if (n < 0) {
			if (errno != EAGAIN)
				return; /* recv() will tell */
			break;
		}
		c->out_sent += (size_t)n;
	}
	bool blocked = c->out_sent < c->out_length;
	if (!blocked)
		c->out_sent = c->out_length = 0;
	if (blocked != c->write_blocked) {
		struct epoll_event event = {.events = EPOLLIN | (blocked ? EPOLLOUT : 0),
					    .data.u32 = (uint32_t)(c - clients)};
		epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
		c->write_blocked = blocked;
	}
}

/* A session of the server itself that ends a backend of the pooler's, without waiting for the answer. */
static int killer = -1;

static void kill_backend(void)
{
	if (killer < 0)
		return;
	static const char text[] =
		"SELECT pg_catalog.pg_terminate_backend(pid) FROM (SELECT pid FROM "
		"pg_catalog.pg_stat_activity WHERE "
		"backend_type = 'client backend' AND datname = pg_catalog.current_database() AND "
		"pid <> pg_catalog.pg_backend_pid() ORDER BY pg_catalog.random() LIMIT 1) x";
	uint8_t message[sizeof(text) + 5] = {'Q'};
	char answers[8192];
	while (recv(killer, answers, sizeof(answers), 0) > 0)
		;
	put32(message + 1, sizeof(text) + 4);
	memcpy(message + 5, text, sizeof(text));
	if (send(killer, message, sizeof(message), MSG_NOSIGNAL) > 0) {
		counts.kills++;
		last_kill_us = now_us();
	}
}

static void open_killer(void)
{
	killer = connect_to(direct_host, direct_port);
	if (killer < 0)
		die("connect to the server");
	uint8_t body[200];
	if (send(killer, body, login(body), MSG_NOSIGNAL) < 0)
		die("log in to the server");
}

/* What else happens to a client. */
static void disturb(struct client *c)
{
	if (chance(reset_rate)) {
		counts.resets++;
		close_client(c, chance(5000));
		return;
	}
	if (c->key_length && c->in_flight &&
	    chance(cancel_rate * (c->units[c->first].flags & MAY_CANCEL ? 250 : 1)))
		send_cancel(c->key, c->key_length, (int)(c - clients));
	if (c->key_length && !c->in_flight && chance(cancel_rate)) {
		/* Idle: the request must not wait for what comes next, nor hit another. */
		counts.idle_cancels++;
		send_cancel(c->key, c->key_length, (int)(c - clients));
	}
	if (gone_count && chance(cancel_rate)) {
		int at = (int)(roll() % (uint64_t)gone_count);
		counts.gone_cancels++;
		send_cancel(gone_keys[at], gone_lengths[at], -1);
	}
	if (chance(kill_rate))
		kill_backend();
}

static void serve(struct client *c)
{
	disturb(c);
	if (c->ready && sent < wanted)
		while (c->in_flight < UNITS - 2 && (c->in_flight == 0 || chance(3000)))
			ask(c);
	give(c);
}

static int busy(void)
{
	int found = 0;
	for (int i = 0; i < clients_count; i++)
		found += clients[i].in_flight > 0;
	return found;
}

static void watch_for_stalls(void)
{
	uint64_t now = now_us();
	for (int i = 0; i < clients_count; i++) {
		struct client *c = &clients[i];
		if ((c->in_flight || !c->ready) && now - c->moved_us > STALL_US) {
			complain(&counts.wrong, "client %d waits for ever: %d units, %s", i, c->in_flight,
				 c->ready ? "logged in" : "not logged in");
			close_client(c, true);
		}
	}
}

static void run(void)
{
	uint64_t looked = now_us();
	while (sent < wanted || busy()) {
		struct epoll_event events[256];
		int count = epoll_wait(epoll_fd, events, 256, 5);
		for (int i = 0; i < count; i++) {
			uint32_t which = events[i].data.u32;
			if (which >= (uint32_t)clients_count) {
				end_cancel(&cancels[which - (uint32_t)clients_count]);
				continue;
			}
			struct client *c = &clients[which];
			if (events[i].events & ~(uint32_t)EPOLLOUT && !take(c))
				close_client(c, false);
			serve(c);
		}
		/* One of whom nothing was heard: to be canceled or reset while its query runs. */
		serve(&clients[roll() % (uint64_t)clients_count]);
		if (now_us() - looked > 500000) {
			looked = now_us();
			watch_for_stalls();
			for (int i = 0; i < clients_count; i++)
				if (!clients[i].in_flight)
					serve(&clients[i]);
		}
		if (counts.wrong + counts.stray > 100)
			return;
	}
}

static void option(const char *text)
{
	const struct {
		const char *name;
		int *value;
	} names[] = {{"clients=", &clients_count}, {"cancel=", &cancel_rate},	{"reset=", &reset_rate},
		     {"kill=", &kill_rate},	   {"timeout=", &timeout_rate}, {"slow=", &slow_rate}};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strncmp(text, names[i].name, strlen(names[i].name))) {
			*names[i].value = atoi(text + strlen(names[i].name));
			return;
		}
	if (!strncmp(text, "seed=", 5)) {
		seed = strtoull(text + 5, NULL, 10) * 2654435761u + 1;
		return;
	}
	fprintf(stderr, "token: what is %s?\n", text);
	exit(2);
}

int main(int argc, char **argv)
{
	if (argc < 7) {
		fputs("usage: token POOL_HOST POOL_PORT DIRECT_HOST DIRECT_PORT DATABASE QUERIES "
		      "[key=value]...\n",
		      stderr);
		return 2;
	}
	pool_host = argv[1];
	pool_port = atoi(argv[2]);
	direct_host = argv[3];
	direct_port = atoi(argv[4]);
	database = argv[5];
	wanted = strtoull(argv[6], NULL, 10);
	for (int i = 7; i < argc; i++)
		option(argv[i]);
	epoll_fd = epoll_create1(0);
	clients = calloc((size_t)clients_count, sizeof(*clients));
	for (int i = 0; i < CANCELS; i++)
		cancels[i].fd = -1;
	uint64_t start = now_us();
	if (kill_rate)
		open_killer();
	for (int i = 0; i < clients_count; i++) {
		open_client(&clients[i]);
		give(&clients[i]);
	}
	run();
	double seconds = (double)(now_us() - start) / 1e6;
	printf("{\"queries\": %llu, \"seconds\": %.2f, \"wrong\": %llu, \"stray\": %llu, \"cancels\": %llu, "
	       "\"canceled\": %llu, \"idle_cancels\": %llu, \"gone_cancels\": %llu, \"timeouts\": %llu, "
	       "\"resets\": %llu, \"kills\": %llu, \"lost\": %llu, \"longest_ms\": %llu}\n",
	       counts.queries, seconds, counts.wrong, counts.stray, counts.cancels, counts.canceled,
	       counts.idle_cancels, counts.gone_cancels, counts.timeouts, counts.resets, counts.kills,
	       counts.lost, counts.late_us_max / 1000);
	return counts.wrong || counts.stray;
}
