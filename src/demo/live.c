#include "demo/live.h"

#include "demo/draw.h"
#include "util/clock.h"
#include "util/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAUSE_MIN_MS	25.0
#define PAUSE_MAX_MS	2000.0
#define PAUSE_FACTOR	2.0 /* of what the statement took */
#define BURST_EACH	40  /* of so many statements one is run again and again, as a loop over rows does */
#define BURST_LENGTH	15
#define HOLD_MS		6000.0
#define HOLD_EACH_MS	25000.0
#define WANT_EACH_MS	4000.0
#define CONNECT_EACH_MS 1000.0

#define LOCKED_ROW "UPDATE social.users SET display_name = display_name WHERE id = 1"

struct live_app {
	pgm_demo_connect *connect;
	void *connect_arg;
	const struct pgm_demo_workload *workload;
	const char *name;
	struct pgm_conn *conn;
	struct pgm_arena *arena;
};

static volatile sig_atomic_t ended;

static void end(int signal_number)
{
	(void)signal_number;
	ended = 1;
}

static bool over(void)
{
	return ended || pgm_interrupted();
}

static void pause_ms(double ms)
{
	for (double until = pgm_clock_ms() + ms; !over() && pgm_clock_ms() < until;)
		pgm_clock_sleep_ms(until - pgm_clock_ms() < 200 ? until - pgm_clock_ms() : 200);
}

/* A session under the application's name. A server that is away comes back, or we are ended. */
static bool connected(struct live_app *app)
{
	struct pgm_error err = {0};
	if (app->conn && pgm_conn_alive(app->conn))
		return true;
	pgm_conn_close(app->conn);
	app->conn = app->connect(app->connect_arg, &err);
	if (app->conn &&
	    pgm_conn_exec(app->conn, pgm_sprintf(app->arena, "SET application_name = '%s'", app->name), &err))
		return true;
	pause_ms(CONNECT_EACH_MS);
	return false;
}

/* A statement that fails is no reason to end: applications go on too. */
static void run(struct live_app *app, const char *sql)
{
	struct pgm_error err = {0};
	if (!pgm_conn_exec(app->conn, sql, &err) && pgm_conn_in_failed_transaction(app->conn))
		pgm_conn_exec_quietly(app->conn, "ROLLBACK");
}

/* The application's statements in their proportions: the draw falls on one of so many runs. */
static const struct pgm_demo_statement *choose(const struct live_app *app, uint64_t draw)
{
	const struct pgm_demo_statement *items = app->workload->statements.items;
	uint64_t runs = 0;
	for (size_t i = 0; i < app->workload->statements.count; i++)
		if (strcmp(items[i].app, app->name) == 0)
			runs += (uint64_t)items[i].times;
	draw %= runs ? runs : 1;
	for (size_t i = 0; i < app->workload->statements.count; i++) {
		if (strcmp(items[i].app, app->name) != 0)
			continue;
		if (draw < (uint64_t)items[i].times)
			return &items[i];
		draw -= (uint64_t)items[i].times;
	}
	return NULL;
}

static double run_drawn(struct live_app *app, const struct pgm_demo_statement *statement,
			struct pgm_demo_random *random)
{
	struct pgm_error err = {0};
	char *sql = pgm_demo_expand(app->arena, statement->sql, random, &err);
	double began = pgm_clock_ms();
	if (sql)
		run(app, sql);
	return pgm_clock_ms() - began;
}

static void work(struct live_app *app)
{
	for (uint64_t n = 1; !over(); n++) {
		struct pgm_demo_random random;
		pgm_arena_reset(app->arena);
		if (!connected(app))
			continue;
		pgm_demo_random_seed(&random, PGM_DEMO_SEED, app->name, n << 20);
		const struct pgm_demo_statement *statement = choose(app, pgm_demo_random_next(&random));
		if (!statement)
			return;
		bool burst = n % BURST_EACH == 0 && statement->kind == PGM_DEMO_READ && !statement->headline;
		double took_ms = 0;
		if (burst)
			run(app, "BEGIN");
		for (int i = 0; i < (burst ? BURST_LENGTH : 1) && !over(); i++)
			took_ms += run_drawn(app, statement, &random);
		if (burst)
			run(app, "COMMIT");
		double rest_ms = took_ms * PAUSE_FACTOR;
		pause_ms(rest_ms < PAUSE_MIN_MS	  ? PAUSE_MIN_MS
			 : rest_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS
						  : rest_ms);
	}
}

/* Idle in a transaction, with a row that others want. */
static void hold(struct live_app *app)
{
	while (!over()) {
		pgm_arena_reset(app->arena);
		if (!connected(app))
			continue;
		run(app, "BEGIN");
		run(app, LOCKED_ROW);
		pause_ms(HOLD_MS);
		run(app, "COMMIT");
		pause_ms(HOLD_EACH_MS - HOLD_MS);
	}
}

static void want(struct live_app *app)
{
	while (!over()) {
		pgm_arena_reset(app->arena);
		if (connected(app))
			run(app, LOCKED_ROW);
		pause_ms(WANT_EACH_MS);
	}
}

static bool spawn(struct pgm_demo_live *live, struct live_app app, void (*body)(struct live_app *),
		  struct pgm_error *err)
{
	pid_t parent = getpid(), pid = fork();
	if (pid < 0)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "no further process: %s", strerror(errno));
	if (pid > 0) {
		live->pids[live->count++] = pid;
		return true;
	}
	/* In the child, which must not run what its parent left to run at exit. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGTERM, end);
	app.arena = pgm_arena_new(0);
	body(&app);
	pgm_conn_close(app.conn);
	_exit(0);
}

bool pgm_demo_live_start(pgm_demo_connect *connect, void *connect_arg,
			 const struct pgm_demo_workload *workload, struct pgm_demo_live *live,
			 struct pgm_error *err)
{
	struct live_app app = {.connect = connect, .connect_arg = connect_arg, .workload = workload};
	*live = (struct pgm_demo_live){0};
	bool ok = true;
	for (const char *const *name = pgm_demo_apps; *name && ok; name++) {
		app.name = *name;
		ok = spawn(live, app, work, err);
	}
	app.name = "nightly_export";
	ok = ok && spawn(live, app, hold, err);
	app.name = "profile_page";
	ok = ok && spawn(live, app, want, err);
	if (!ok)
		pgm_demo_live_stop(live);
	return ok;
}

void pgm_demo_live_stop(struct pgm_demo_live *live)
{
	for (size_t i = 0; i < live->count; i++)
		kill(live->pids[i], SIGTERM);
	for (size_t i = 0; i < live->count; i++)
		while (waitpid(live->pids[i], NULL, 0) < 0 && errno == EINTR)
			;
	live->count = 0;
}
