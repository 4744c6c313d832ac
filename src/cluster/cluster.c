#include "cluster/cluster.h"

#include "cluster/binaries.h"
#include "cluster/folder.h"
#include "cluster/guard.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT		 "5432" /* a part of the socket's name, no more */
#define START_TIMEOUT_MS 60000

struct pgm_cluster {
	struct pgm_arena *arena;
	struct pgm_account account;
	char *programs;
	char *folder;
	char *data;
	struct pgm_guard guard;
	pid_t postmaster; /* 0: it does not run */
	bool can_stay;
};

static bool run_initdb(struct pgm_cluster *cluster, struct pgm_error *err)
{
	locale_t utf8 = newlocale(LC_ALL_MASK, "C.UTF-8", NULL);
	const char *locale = utf8 ? "--locale=C.UTF-8" : "--locale=C";
	if (utf8)
		freelocale(utf8);
	char *program = pgm_sprintf(cluster->arena, "%s/initdb", cluster->programs);
	/* Trust is enough in a folder that nobody else may enter. */
	struct pgm_process initdb = {
		.argv = (const char *const[]){program, "-D", cluster->data, "-U", "postgres", "-A", "trust",
					      "-E", "UTF8", locale, "--no-sync", NULL},
		.cwd = cluster->data,
		.account = &cluster->account,
		.server = true,
		.death_signal = SIGKILL,
	};
	char *output;
	return pgm_process_run(cluster->arena, &initdb, &output, err);
}

/* The list of folders is split at commas, with double quotes around names that hold blanks. */
static bool set_socket(struct pgm_cluster *cluster, struct pgm_error *err)
{
	struct pgm_buf quoted;
	pgm_buf_init(&quoted, cluster->arena);
	pgm_buf_char(&quoted, '"');
	for (const char *at = cluster->data; *at; at++) {
		if (*at == '"')
			pgm_buf_char(&quoted, '"');
		pgm_buf_char(&quoted, *at);
	}
	pgm_buf_char(&quoted, '"');
	return pgm_cluster_set(cluster, "unix_socket_directories", quoted.text, err) &&
	       pgm_cluster_set(cluster, "listen_addresses", "", err) &&
	       pgm_cluster_set(cluster, "port", PORT, err) &&
	       pgm_cluster_set(cluster, "logging_collector", "off", err);
}

static bool make(struct pgm_cluster *cluster, const struct pgm_cluster_options *options,
		 struct pgm_error *err)
{
	cluster->programs = pgm_binaries_find(cluster->arena, err);
	if (!cluster->programs || !pgm_account_find(&cluster->account, err))
		return false;
	cluster->folder =
		pgm_folder_make(cluster->arena, options->parent, options->name, &cluster->account, err);
	if (!cluster->folder)
		return false;
	cluster->data = pgm_sprintf(cluster->arena, "%s/data", cluster->folder);
	return pgm_guard_start(&cluster->guard, cluster->folder, err) && run_initdb(cluster, err) &&
	       set_socket(cluster, err);
}

struct pgm_cluster *pgm_cluster_new(const struct pgm_cluster_options *options, struct pgm_error *err)
{
	struct pgm_arena *arena = pgm_arena_new(0);
	struct pgm_cluster *cluster = PGM_NEW(arena, struct pgm_cluster);
	cluster->arena = arena;
	cluster->can_stay = options->can_stay;
	if (make(cluster, options, err))
		return cluster;
	pgm_error_context(err, "making a server");
	pgm_cluster_close(cluster);
	return NULL;
}

bool pgm_cluster_set(struct pgm_cluster *cluster, const char *name, const char *value, struct pgm_error *err)
{
	struct pgm_buf line;
	pgm_buf_init(&line, cluster->arena);
	pgm_buf_printf(&line, "%s = '", name);
	for (const char *at = value; *at; at++) {
		if (*at == '\'' || *at == '\\')
			pgm_buf_char(&line, *at);
		pgm_buf_char(&line, *at);
	}
	pgm_buf_add(&line, "'\n");
	char *path = pgm_sprintf(cluster->arena, "%s/postgresql.conf", cluster->data);
	int fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, line.text, line.length) == (ssize_t)line.length;
	if (!ok)
		pgm_error_set(err, PGM_ERR_SYSTEM, "writing %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok;
}

/* The end of the server's log: why it does not start. */
static const char *log_tail(const struct pgm_cluster *cluster)
{
	static const size_t kept = 700;
	char *path = pgm_sprintf(cluster->arena, "%s/server.log", cluster->data);
	FILE *stream = fopen(path, "re");
	if (!stream)
		return "it wrote no log";
	char *text = pgm_arena_alloc(cluster->arena, kept + 1);
	if (fseek(stream, -(long)kept, SEEK_END) != 0)
		rewind(stream);
	text[fread(text, 1, kept, stream)] = '\0';
	fclose(stream);
	return text;
}

static bool wait_until_ready(struct pgm_cluster *cluster, struct pgm_error *err)
{
	double deadline = pgm_clock_ms() + START_TIMEOUT_MS;
	for (;;) {
		if (pgm_interrupted())
			return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
		if (waitpid(cluster->postmaster, NULL, WNOHANG) != 0) {
			cluster->postmaster = 0;
			pgm_guard_server(&cluster->guard, 0);
			return pgm_error_set(err, PGM_ERR_SYSTEM, "the server did not start: %s",
					     log_tail(cluster));
		}
		struct pgm_error why = {0};
		struct pgm_conn *conn = pgm_cluster_connect(cluster, "postgres", &why);
		pgm_conn_close(conn);
		if (conn)
			return true;
		if (pgm_clock_ms() > deadline)
			return pgm_error_set(err, PGM_ERR_TIMEOUT, "the server did not answer in %d s: %s",
					     START_TIMEOUT_MS / 1000, why.message);
		pgm_clock_sleep_ms(30);
	}
}

bool pgm_cluster_start(struct pgm_cluster *cluster, struct pgm_error *err)
{
	char *program = pgm_sprintf(cluster->arena, "%s/postgres", cluster->programs);
	struct pgm_process server = {
		.argv = (const char *const[]){program, "-D", cluster->data, NULL},
		.cwd = cluster->data,
		.account = &cluster->account,
		.server = true,
		.own_session = true,
		.death_signal = cluster->can_stay ? 0 : SIGQUIT,
		.out_path = pgm_sprintf(cluster->arena, "%s/server.log", cluster->data),
	};
	pid_t pid = pgm_process_start(&server, err);
	if (pid < 0)
		return false;
	cluster->postmaster = pid;
	pgm_guard_server(&cluster->guard, pid);
	return wait_until_ready(cluster, err);
}

static void end_server(struct pgm_cluster *cluster, int signal_number)
{
	if (!cluster->postmaster)
		return;
	pgm_guard_end_server(cluster->postmaster, signal_number, true);
	cluster->postmaster = 0;
	pgm_guard_server(&cluster->guard, 0);
}

void pgm_cluster_stop(struct pgm_cluster *cluster)
{
	end_server(cluster, SIGINT);
}

struct pgm_conn *pgm_cluster_connect(const struct pgm_cluster *cluster, const char *database,
				     struct pgm_error *err)
{
	struct pgm_conn_options options = {
		.host = cluster->data, .port = PORT, .user = "postgres", .dbname = database};
	struct pgm_conn *conn = pgm_conn_open(&options, err);
	if (!conn)
		return NULL;
	if (!pgm_conn_exec(conn, "SET statement_timeout = 0; SET lock_timeout = 0", err)) {
		pgm_conn_close(conn);
		return NULL;
	}
	pgm_conn_cancel_on_interrupt(conn);
	return conn;
}

/* A value of a connection string: in single quotes where it holds what would end it. */
static void add_value(struct pgm_buf *buf, const char *value)
{
	bool plain = *value && !strpbrk(value, " '\\");
	pgm_buf_add(buf, plain ? "" : "'");
	for (const char *at = value; *at; at++) {
		if (*at == '\'' || *at == '\\')
			pgm_buf_char(buf, '\\');
		pgm_buf_char(buf, *at);
	}
	pgm_buf_add(buf, plain ? "" : "'");
}

char *pgm_cluster_conninfo(const struct pgm_cluster *cluster, struct pgm_arena *arena, const char *database)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	pgm_buf_add(&buf, "host=");
	add_value(&buf, cluster->data);
	pgm_buf_add(&buf, " port=" PORT " user=postgres dbname=");
	add_value(&buf, database);
	return buf.text;
}

const char *pgm_cluster_folder(const struct pgm_cluster *cluster)
{
	return cluster->folder;
}

const char *pgm_cluster_data(const struct pgm_cluster *cluster)
{
	return cluster->data;
}

const char *pgm_cluster_programs(const struct pgm_cluster *cluster)
{
	return cluster->programs;
}

const char *pgm_cluster_account(const struct pgm_cluster *cluster)
{
	return cluster->account.differs ? cluster->account.name : "";
}

void pgm_cluster_close(struct pgm_cluster *cluster)
{
	if (!cluster)
		return;
	end_server(cluster, SIGQUIT); /* nobody needs the data again */
	if (cluster->folder)
		pgm_folder_remove(cluster->folder);
	pgm_guard_dismiss(&cluster->guard);
	pgm_arena_free(cluster->arena);
}

void pgm_cluster_release(struct pgm_cluster *cluster)
{
	pgm_guard_dismiss(&cluster->guard);
	pgm_arena_free(cluster->arena);
}
