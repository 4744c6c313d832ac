#include "demo/traffic.h"

#include "util/clock.h"
#include "util/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define UPDATE_EACH 3 /* of so many statements one changes the last row that was inserted */

static volatile sig_atomic_t ended;

static void end(int signal_number)
{
	(void)signal_number;
	ended = 1;
}

/* One statement; false where it failed, which is counted and no reason to end. */
static bool write_one(struct pgm_conn *conn, struct pgm_arena *arena, char *last_id, size_t size, bool update,
		      struct pgm_error *err)
{
	const char *params[] = {last_id};
	char *id;
	if (update)
		return pgm_conn_value(conn, arena,
				      "UPDATE activity_log.activity_logs SET level = 'warning' WHERE id = "
				      "$1::bigint RETURNING id",
				      1, params, &id, err) &&
		       id;
	if (!pgm_conn_value(
		    conn, arena,
		    "INSERT INTO activity_log.activity_logs (category, action, entity_type, message) "
		    "VALUES ('task', 'comment', 'demo', 'written while the table changed') RETURNING id",
		    0, NULL, &id, err) ||
	    !id)
		return false;
	snprintf(last_id, size, "%s", id);
	return true;
}

static void write_all(struct pgm_conn *conn, struct pgm_demo_written *written)
{
	const double period_ms = 1000.0 / PGM_DEMO_TRAFFIC_PER_S;
	struct pgm_arena *arena = pgm_arena_new(0);
	struct pgm_error err = {0};
	char last_id[32] = "";
	double began = pgm_clock_ms(), due = began;
	for (int n = 1; !ended && !pgm_interrupted(); n++, due += period_ms) {
		double wait_ms = due - pgm_clock_ms();
		if (wait_ms > 0)
			pgm_clock_sleep_ms(wait_ms);
		bool update = n % UPDATE_EACH == 0 && *last_id;
		bool ok = write_one(conn, arena, last_id, sizeof(last_id), update, &err);
		double late_ms = pgm_clock_ms() - due;
		if (!ok)
			written->failed++;
		else if (update)
			written->updated++;
		else
			written->inserted++;
		if (late_ms > written->worst_ms)
			written->worst_ms = late_ms;
		/* The same row is updated once only, so that they can be counted. */
		if (update)
			*last_id = '\0';
		pgm_arena_reset(arena);
		if (!pgm_conn_alive(conn))
			break;
	}
	written->seconds = (pgm_clock_ms() - began) / 1000;
	pgm_arena_free(arena);
}

/* In the child: it shares nothing but the pipe, and must not run what its parent left to run at exit. */
static void run(pgm_demo_connect *connect, void *connect_arg, int fd)
{
	struct pgm_demo_written written = {0};
	struct pgm_error err = {0};
	struct pgm_conn *conn = connect(connect_arg, &err);
	/* An application waits for a lock as long as it takes. */
	if (conn && pgm_conn_exec(conn, "SET lock_timeout = 0", &err))
		write_all(conn, &written);
	else
		written.failed++;
	pgm_conn_close(conn);
	ssize_t sent = write(fd, &written, sizeof(written));
	_exit(sent == sizeof(written) ? 0 : 1);
}

bool pgm_demo_traffic_start(pgm_demo_connect *connect, void *connect_arg, struct pgm_demo_traffic *traffic,
			    struct pgm_error *err)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) != 0)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "no pipe: %s", strerror(errno));
	pid_t parent = getpid();
	traffic->pid = fork();
	if (traffic->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		signal(SIGTERM, end);
		close(fds[0]);
		run(connect, connect_arg, fds[1]);
	}
	close(fds[1]);
	traffic->out_fd = fds[0];
	if (traffic->pid > 0)
		return true;
	close(fds[0]);
	return pgm_error_set(err, PGM_ERR_SYSTEM, "no further process: %s", strerror(errno));
}

bool pgm_demo_traffic_stop(struct pgm_demo_traffic *traffic, struct pgm_conn *conn, struct pgm_arena *arena,
			   struct pgm_demo_written *written, struct pgm_error *err)
{
	struct pgm_rows rows;
	kill(traffic->pid, SIGTERM);
	ssize_t got = read(traffic->out_fd, written, sizeof(*written));
	close(traffic->out_fd);
	while (waitpid(traffic->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (got != sizeof(*written))
		return pgm_error_set(err, PGM_ERR_SYSTEM, "the demo's writer ended without a word");
	if (!pgm_conn_query(conn, arena,
			    "SELECT count(*), count(*) FILTER (WHERE level = 'warning') FROM "
			    "activity_log.activity_logs WHERE entity_type = 'demo'",
			    0, NULL, &rows, err))
		return false;
	written->found_inserted = pgm_rows_int(&rows, 0, 0);
	written->found_updated = pgm_rows_int(&rows, 0, 1);
	return true;
}
