#include "demo/apps.h"

#include "demo/draw.h"
#include "util/clock.h"
#include "util/embedded.h"
#include "util/interrupt.h"

#include <stdio.h>

#define LOADERS	    2 /* sessions that load beside each other */
#define PROGRESS_MS 200
#define PASS_RUNS   1000000 /* draws of a pass are numbered below this */

const char *const pgm_demo_apps[] = {"feature_store", "activity_log", "health", "social", "annotation", NULL};

#define APP_COUNT (sizeof(pgm_demo_apps) / sizeof(*pgm_demo_apps) - 1)

/* The largest first, so that the last two end at about the same time; indexes into pgm_demo_apps. */
static const size_t load_order[APP_COUNT] = {1, 2, 3, 0, 4};

struct loading {
	pgm_demo_connect *connect;
	void *connect_arg;
	double scale;
	char now[64]; /* the time that all data ends at */
	size_t next;  /* in load_order */
	size_t done;
};

struct loader {
	struct pgm_conn *conn; /* NULL: it has nothing to do */
	const char *app;
};

static bool start_next(struct loading *loading, struct loader *loader, struct pgm_arena *arena,
		       struct pgm_error *err)
{
	loader->app = pgm_demo_apps[load_order[loading->next++]];
	/* The data files change settings of their session: each has its own. */
	loader->conn = loading->connect(loading->connect_arg, err);
	if (!loader->conn)
		return false;
	char *sql = pgm_sprintf(
		arena, "SET pgmend.scale = '%.6f'; SET pgmend.now = '%s'; SET TimeZone = 'UTC';\n%s\n%s",
		loading->scale, loading->now,
		pgm_embedded_text(pgm_sprintf(arena, "demo/%s.schema.sql", loader->app)),
		pgm_embedded_text(pgm_sprintf(arena, "demo/%s.data.sql", loader->app)));
	return pgm_conn_start(loader->conn, sql, err);
}

static bool look_at(struct loading *loading, struct loader *loader, struct pgm_error *err)
{
	bool done;
	if (!pgm_conn_poll(loader->conn, PROGRESS_MS / LOADERS, &done, err))
		return pgm_error_context(err, "loading %s", loader->app);
	if (!done)
		return true;
	pgm_conn_close(loader->conn);
	*loader = (struct loader){0};
	loading->done++;
	return true;
}

static void show(const struct loading *loading, const struct loader *loaders, pgm_demo_progress *progress,
		 void *arg)
{
	char detail[128] = "";
	size_t length = 0;
	for (size_t i = 0; i < LOADERS; i++)
		if (loaders[i].conn)
			length += (size_t)snprintf(detail + length, sizeof(detail) - length, "%s%s",
						   length ? ", " : "", loaders[i].app);
	progress(arg, (double)loading->done / APP_COUNT, detail);
}

bool pgm_demo_load(pgm_demo_connect *connect, void *connect_arg, double scale, pgm_demo_progress *progress,
		   void *progress_arg, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct loading loading = {.connect = connect, .connect_arg = connect_arg, .scale = scale};
	struct loader loaders[LOADERS] = {{0}};
	PGM_AUTO_CONN conn = connect(connect_arg, err);
	char *now;
	if (!conn || !pgm_conn_value(conn, arena, "SELECT pg_catalog.now()::text", 0, NULL, &now, err))
		return false;
	snprintf(loading.now, sizeof(loading.now), "%s", now);

	bool ok = true;
	while (ok && loading.done < APP_COUNT) {
		for (size_t i = 0; ok && i < LOADERS; i++) {
			if (!loaders[i].conn && loading.next < APP_COUNT)
				ok = start_next(&loading, &loaders[i], arena, err);
			if (ok && loaders[i].conn)
				ok = look_at(&loading, &loaders[i], err);
		}
		show(&loading, loaders, progress, progress_arg);
		if (ok && pgm_interrupted())
			ok = pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	}
	for (size_t i = 0; i < LOADERS; i++)
		pgm_conn_close(loaders[i].conn);
	return ok;
}

bool pgm_demo_sizes(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_demo_size **sizes,
		    struct pgm_error *err)
{
	*sizes = PGM_NEW_ARRAY(arena, struct pgm_demo_size, APP_COUNT);
	for (size_t i = 0; i < APP_COUNT; i++) {
		struct pgm_rows rows;
		if (!pgm_conn_query(conn, arena, pgm_embedded_text("demo/size.sql"), 1, &pgm_demo_apps[i],
				    &rows, err))
			return false;
		(*sizes)[i] = (struct pgm_demo_size){
			.app = pgm_demo_apps[i],
			.tables = pgm_rows_int(&rows, 0, 0),
			.rows = pgm_rows_double(&rows, 0, 1),
			.bytes = pgm_rows_double(&rows, 0, 2),
		};
	}
	return true;
}

bool pgm_demo_statements(struct pgm_arena *arena, struct pgm_demo_workload *workload, struct pgm_error *err)
{
	*workload = (struct pgm_demo_workload){0};
	for (size_t i = 0; i < APP_COUNT; i++) {
		const char *text =
			pgm_embedded_text(pgm_sprintf(arena, "demo/%s.workload.sql", pgm_demo_apps[i]));
		if (!pgm_demo_workload_parse(arena, pgm_demo_apps[i], text, workload, err))
			return false;
	}
	return true;
}

static bool run_one(struct pgm_conn *conn, const struct pgm_demo_statement *statement, uint64_t n,
		    struct pgm_arena *arena, struct pgm_error *err)
{
	struct pgm_demo_random random;
	pgm_arena_reset(arena);
	pgm_demo_random_seed(&random, PGM_DEMO_SEED, statement->name, n);
	char *sql = pgm_demo_expand(arena, statement->sql, &random, err);
	if (sql && pgm_conn_exec(conn, sql, err))
		return true;
	return pgm_error_context(err, "running %s of %s", statement->name, statement->app);
}

bool pgm_demo_run_pass(struct pgm_conn *conn, const struct pgm_demo_workload *workload, int pass,
		       pgm_demo_progress *progress, void *progress_arg, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	size_t wanted = pgm_demo_workload_pass_count(workload), done = 0;
	double shown = pgm_clock_ms();
	for (int turn = 0; done < wanted; turn++) {
		for (size_t i = 0; i < workload->statements.count; i++) {
			const struct pgm_demo_statement *statement = &workload->statements.items[i];
			if (statement->times <= turn)
				continue;
			uint64_t n = (uint64_t)pass * PASS_RUNS + (uint64_t)turn;
			if (!run_one(conn, statement, n, arena, err))
				return false;
			done++;
			if (pgm_clock_ms() < shown + PROGRESS_MS)
				continue;
			shown = pgm_clock_ms();
			progress(progress_arg, (double)done / (double)wanted, statement->title);
		}
	}
	return true;
}
