#include "cli/demo_serve.h"

#include "cluster/process.h"
#include "demo/live.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/interrupt.h"
#include "util/term.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define USUAL_PORT     8432
#define POOL_PORT      "6432" /* of the Unix socket's name alone */
#define START_MS       60000.0
#define STOP_MS	       20000.0 /* until it is asked again, and then until it is killed */
#define LOOK_MS	       100.0
#define WATCH_S	       5
#define FILE_BYTES_MAX (1 << 20)
#define LOG_SHOWN      600

struct running {
	const struct pgm_demo_serve *serve;
	struct pgm_account account; /* serve does not run as root */
	const char *folder;	    /* what serve writes is there */
	const char *log, *token_file;
	int port;
	pid_t pid; /* 0: it has ended, with status */
	int status;
};

static int tcp_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* The port itself where it is free (0: any that is); 0 where it is not. */
static int free_port(int wanted)
{
	int fd = tcp_socket(), port = 0, on = 1;
	struct sockaddr_in address = loopback(wanted);
	socklen_t size = sizeof(address);
	if (fd < 0)
		return 0;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 1) == 0 &&
	    getsockname(fd, (struct sockaddr *)&address, &size) == 0)
		port = ntohs(address.sin_port);
	close(fd);
	return port;
}

static bool answers(int port)
{
	int fd = tcp_socket();
	struct sockaddr_in address = loopback(port);
	bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

/* As a value of the pooler's file takes it. */
static const char *quoted(struct pgm_arena *arena, const char *text)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_char(&out, '\'');
	for (const char *p = text; *p; p++) {
		if (*p == '\'')
			pgm_buf_char(&out, '\'');
		pgm_buf_char(&out, *p);
	}
	pgm_buf_char(&out, '\'');
	return out.text;
}

/* Pools in transaction mode, on a Unix socket in a folder that its account alone may enter, and watches. */
static bool write_config(const struct running *running, const char *path, struct pgm_error *err)
{
	const struct pgm_demo_serve *serve = running->serve;
	struct pgm_arena *arena = serve->arena;
	const char *text = pgm_sprintf(
		arena,
		"[databases]\n" PGM_DEMO_DATABASE " = host=%s port=5432 dbname=" PGM_DEMO_DATABASE
		" user=postgres\n\n"
		"[pgbouncer]\nlisten_addr =\nlisten_port = " POOL_PORT "\nunix_socket_dir = %s\n"
		"auth_type = any\npool_mode = transaction\ndefault_pool_size = 12\nserver_idle_timeout = "
		"60\n\n"
		"[serve]\nport = %d\nhistory = %s/history.db\nwatch_interval = %d\ntables_interval = 20\n"
		"findings_interval = 120\nshow_values = 1\n",
		quoted(arena, serve->data), running->folder, running->port, running->folder, WATCH_S);
	return pgm_file_replace(arena, path, text, err) &&
	       (chown(path, running->account.uid, running->account.gid) == 0 ||
		pgm_error_set(err, PGM_ERR_SYSTEM, "%s: %s", path, strerror(errno)));
}

static bool make_folder(struct running *running, struct pgm_error *err)
{
	running->folder = pgm_sprintf(running->serve->arena, "%s/pool", running->serve->folder);
	running->log = pgm_sprintf(running->serve->arena, "%s/log", running->folder);
	running->token_file = pgm_sprintf(running->serve->arena, "%s/token", running->folder);
	if (mkdir(running->folder, 0700) == 0 &&
	    chown(running->folder, running->account.uid, running->account.gid) == 0)
		return true;
	return pgm_error_set(err, PGM_ERR_SYSTEM, "%s: %s", running->folder, strerror(errno));
}

static bool ended_early(const struct running *running, struct pgm_error *err)
{
	struct pgm_error ignored = {0};
	char *log = "";
	size_t length = pgm_file_read(running->serve->arena, running->log, FILE_BYTES_MAX, &log, &ignored)
				? strlen(log)
				: 0;
	return pgm_error_set(err, PGM_ERR_STATE, "\"pgmend serve\" ended with %d: %s",
			     WIFEXITED(running->status) ? WEXITSTATUS(running->status)
							: -WTERMSIG(running->status),
			     length > LOG_SHOWN ? log + length - LOG_SHOWN : log);
}

/* Whether it has ended by now. */
static bool has_ended(struct running *running)
{
	if (running->pid && waitpid(running->pid, &running->status, WNOHANG) == running->pid)
		running->pid = 0;
	return running->pid == 0;
}

static bool start(struct running *running, struct pgm_error *err)
{
	struct pgm_arena *arena = running->serve->arena;
	const char *config = pgm_sprintf(arena, "%s/serve.ini", running->folder);
	const char *const argv[] = {"/proc/self/exe",	 "serve", "--token-file",
				    running->token_file, config,  NULL};
	/* A session of its own: Ctrl-C reaches us, and we end it. */
	struct pgm_process process = {.argv = argv,
				      .cwd = running->folder,
				      .account = &running->account,
				      .out_path = running->log,
				      .own_session = true,
				      .death_signal = SIGTERM};
	if (!write_config(running, config, err))
		return false;
	running->pid = pgm_process_start(&process, err);
	if (running->pid < 0) {
		running->pid = 0;
		return false;
	}
	for (double until = pgm_clock_ms() + START_MS;
	     !answers(running->port) || access(running->token_file, R_OK) != 0;) {
		if (has_ended(running))
			return ended_early(running, err);
		if (pgm_interrupted())
			return true;
		if (pgm_clock_ms() > until)
			return pgm_error_set(err, PGM_ERR_STATE, "\"pgmend serve\" does not answer");
		pgm_clock_sleep_ms(LOOK_MS);
	}
	return true;
}

/* Asked twice, it does not wait for clients of the pooler any more. */
static void stop(struct running *running)
{
	static const int signals[] = {SIGTERM, SIGTERM, SIGKILL};
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals) && !has_ended(running); i++) {
		kill(running->pid, signals[i]);
		for (double until = pgm_clock_ms() + STOP_MS; !has_ended(running) && pgm_clock_ms() < until;)
			pgm_clock_sleep_ms(LOOK_MS);
	}
}

static bool print_link(const struct running *running, struct pgm_error *err)
{
	char *token;
	if (!pgm_file_read(running->serve->arena, running->token_file, FILE_BYTES_MAX, &token, err))
		return false;
	token[strcspn(token, "\n")] = '\0';
	pgm_progress_clear();
	printf("%sThe dashboard:  http://127.0.0.1:%d/#token=%s%s\n\n"
	       "What to try, once statements show up (half a minute):\n\n"
	       "  1. Queries: open the slowest SELECT, and press \"Advise on this one\". (The UPDATE of "
	       "display_name\n"
	       "     waits for a lock that no index takes away: Sessions shows who holds it.)\n"
	       "  2. \"Apply\" builds the index while everything goes on, and measures before and after.\n"
	       "  3. See its latency fall in the chart. Changes has the way back: \"Roll back\".\n"
	       "  4. Indexes finds all that are missing at once; Overview says what else is wrong.\n\n"
	       "Ctrl-C ends it and removes everything.\n",
	       pgm_term_on(stdout, PGM_BOLD), running->port, token, pgm_term_off(stdout));
	fflush(stdout);
	return true;
}

static struct pgm_conn *connect_to_pool(void *arg, struct pgm_error *err)
{
	const struct running *running = arg;
	struct pgm_conn_options options = {
		.host = running->folder, .port = POOL_PORT, .user = "postgres", .dbname = PGM_DEMO_DATABASE};
	return pgm_conn_open_as_is(&options, err);
}

/* The applications come after serve and leave before it: they are its pooler's clients. */
static bool work(struct running *running, struct pgm_error *err)
{
	struct pgm_demo_live live;
	if (!print_link(running, err) ||
	    !pgm_demo_live_start(connect_to_pool, running, running->serve->workload, &live, err))
		return false;
	while (!pgm_interrupted() && !has_ended(running))
		pgm_clock_sleep_ms(LOOK_MS);
	pgm_demo_live_stop(&live);
	return pgm_interrupted() || ended_early(running, err);
}

bool pgm_demo_serve_port(int64_t port, struct pgm_error *err)
{
	return !port || free_port((int)port) ||
	       pgm_error_set(err, PGM_ERR_SYSTEM, "port %d is not free", (int)port);
}

bool pgm_demo_serve(const struct pgm_demo_serve *serve, struct pgm_error *err)
{
	struct running running = {.serve = serve,
				  .port = free_port(serve->port ? (int)serve->port : USUAL_PORT)};
	if (!pgm_demo_serve_port(serve->port, err))
		return false;
	if (!running.port)
		running.port = free_port(0);
	if (!pgm_account_find(&running.account, err) || !make_folder(&running, err))
		return false;
	bool ok = start(&running, err) && (pgm_interrupted() || work(&running, err));
	stop(&running);
	return ok;
}
