#include "cli/commands.h"
#include "cli/demo_big.h"
#include "cli/demo_report.h"
#include "cli/demo_serve.h"
#include "cluster/cluster.h"
#include "cluster/process.h"
#include "demo/apps.h"
#include "demo/draw.h"
#include "demo/headline.h"
#include "util/clock.h"
#include "util/interrupt.h"
#include "util/term.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCALE_MIN     0.001
#define SCALE_MAX     100
#define HEADLINE_RUNS 5
#define PLAN_FILE     "PLAN.sql"
#define WORKLOAD_FILE "WORKLOAD.sql" /* only where pg_stat_statements is missing */

extern char **environ;

struct demo {
	struct pgm_cli *cli;
	struct pgm_arena *arena;
	double scale;
	int64_t port; /* of --serve; 0: the usual one */
	struct pgm_cluster *cluster;
	struct pgm_conn *conn;
	char *conninfo;
	bool has_statements; /* pg_stat_statements is there */
	struct pgm_demo_workload workload;
	struct pgm_demo_result *results;
	size_t result_count;
	const char *fell_short; /* the command whose verification failed, or NULL */
	int step;
	const char *label; /* of the progress line, while there is nothing better */
};

static void heading(struct demo *demo, const char *title, const char *why)
{
	pgm_progress_clear();
	printf("\n%s%d. %s%s\n%s\n\n", pgm_term_on(stdout, PGM_BOLD), ++demo->step, title,
	       pgm_term_off(stdout), why);
	fflush(stdout);
	demo->label = title;
}

static void show_progress(void *arg, double fraction, const char *detail)
{
	const struct demo *demo = arg;
	pgm_progress_show(*detail ? detail : demo->label, fraction, "");
}

static struct pgm_conn *connect_again(void *arg, struct pgm_error *err)
{
	struct demo *demo = arg;
	return pgm_cluster_connect(demo->cluster, PGM_DEMO_DATABASE, err);
}

/* A quarter of a small machine's memory; more than the default helps, more than this hides the disk. */
static const char *shared_buffers(struct pgm_arena *arena)
{
	long long mb = (long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / (1 << 20) / 4;
	return pgm_sprintf(arena, "%lldMB", mb > 256 ? 256 : mb < 16 ? 16 : mb);
}

static bool check_space(const struct demo *demo, struct pgm_error *err)
{
	struct statvfs found;
	double needed = 400e6 + 2.2e9 * demo->scale; /* with the WAL and the new indexes */
	const char *folder = pgm_cluster_folder(demo->cluster);
	if (statvfs(folder, &found) != 0 || (double)found.f_bavail * (double)found.f_frsize >= needed)
		return true;
	pgm_error_set(err, PGM_ERR_SYSTEM, "at scale %g the demo needs about %s, and %s has %s left",
		      demo->scale, pgm_format_bytes(demo->arena, needed), folder,
		      pgm_format_bytes(demo->arena, (double)found.f_bavail * (double)found.f_frsize));
	return pgm_error_hint(err, "Use a smaller --scale, or another folder with --dir.");
}

static bool set_all(struct demo *demo, struct pgm_error *err)
{
	const char *const settings[][2] = {
		{"cluster_name", "pgmend-demo"},
		{"shared_buffers", shared_buffers(demo->arena)},
		{"track_io_timing", "on"},
		/* Only the loading gains by these: nothing is streamed from here, and nobody waits for it. */
		{"wal_level", "minimal"},
		{"max_wal_senders", "0"},
		{"max_wal_size", "4GB"},
		{"checkpoint_timeout", "30min"},
	};
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		if (!pgm_cluster_set(demo->cluster, settings[i][0], settings[i][1], err))
			return false;
	return true;
}

/* Which extensions there are is known only to a server that runs; the library wants a start of its own. */
static bool preload_statements(struct demo *demo, struct pgm_error *err)
{
	PGM_AUTO_CONN conn = pgm_cluster_connect(demo->cluster, "postgres", err);
	char *version;
	if (!conn || !pgm_conn_exec(conn, "CREATE DATABASE " PGM_DEMO_DATABASE, err) ||
	    !pgm_conn_value(conn, demo->arena,
			    "SELECT default_version FROM pg_catalog.pg_available_extensions "
			    "WHERE name = 'pg_stat_statements'",
			    0, NULL, &version, err))
		return false;
	demo->has_statements = version != NULL;
	if (!version)
		return true;
	if (!pgm_cluster_set(demo->cluster, "shared_preload_libraries", "pg_stat_statements", err))
		return false;
	pgm_cluster_stop(demo->cluster);
	return pgm_cluster_start(demo->cluster, err);
}

static bool start_server(struct demo *demo, struct pgm_error *err)
{
	heading(demo, "A throw-away PostgreSQL",
		"The demo has a server of its own, so that nothing of yours is touched.");
	show_progress(demo, -1, "");
	struct pgm_cluster_options options = {
		.parent = pgm_cli_value(demo->cli, "dir"),
		.name = "pgmend-demo",
		.can_stay = pgm_cli_flag(demo->cli, "keep"),
	};
	demo->cluster = pgm_cluster_new(&options, err);
	if (!demo->cluster || !check_space(demo, err) || !set_all(demo, err) ||
	    !pgm_cluster_start(demo->cluster, err) || !preload_statements(demo, err))
		return false;
	demo->conn = connect_again(demo, err);
	if (!demo->conn)
		return false;
	if (demo->has_statements &&
	    !pgm_conn_exec(demo->conn, "CREATE EXTENSION pg_stat_statements SCHEMA public", err))
		return false;
	demo->conninfo = pgm_cluster_conninfo(demo->cluster, demo->arena, PGM_DEMO_DATABASE);
	int version = pgm_conn_version(demo->conn);
	const char *account = pgm_cluster_account(demo->cluster);
	pgm_progress_clear();
	printf("PostgreSQL %d.%d of %s in %s%s%s\n", version / 10000, version % 10000,
	       pgm_cluster_programs(demo->cluster), pgm_cluster_folder(demo->cluster),
	       *account ? ", as user " : "", account);
	return true;
}

static bool vacuum(struct demo *demo, struct pgm_error *err)
{
	show_progress(demo, -1, "VACUUM ANALYZE");
	return pgm_conn_exec(demo->conn, "VACUUM " PGM_CONN_MARKER "(ANALYZE)", err);
}

static bool load(struct demo *demo, struct pgm_error *err)
{
	struct pgm_demo_size *sizes;
	double start = pgm_clock_ms();
	heading(demo, "Five applications that lack indexes",
		"Small, but with the tables, the skewed data and the statements of real ones.");
	if (!pgm_demo_load(connect_again, demo, demo->scale, show_progress, demo, err))
		return false;
	/* What loading did is no part of the workload: forget it before VACUUM counts the rows anew. */
	if (!pgm_conn_exec(demo->conn, "SELECT pg_catalog.pg_stat_reset()", err) || !vacuum(demo, err) ||
	    !pgm_demo_sizes(demo->conn, demo->arena, &sizes, err))
		return false;
	pgm_progress_clear();
	pgm_demo_print_sizes(demo->arena, sizes);
	printf("\nLoaded in %s.\n", pgm_format_ms(demo->arena, pgm_clock_ms() - start));
	return true;
}

/* For a server without pg_stat_statements: the statements of a pass, as a file. */
static bool write_workload(struct demo *demo, struct pgm_error *err)
{
	char *path = pgm_sprintf(demo->arena, "%s/" WORKLOAD_FILE, pgm_cluster_folder(demo->cluster));
	FILE *stream = fopen(path, "we");
	bool ok = stream != NULL;
	for (size_t i = 0; ok && i < demo->workload.statements.count; i++) {
		const struct pgm_demo_statement *statement = &demo->workload.statements.items[i];
		for (int n = 0; n < statement->times; n++) {
			struct pgm_demo_random random;
			pgm_demo_random_seed(&random, PGM_DEMO_SEED, statement->name, (uint64_t)n);
			char *sql = pgm_demo_expand(demo->arena, statement->sql, &random, err);
			ok = sql && fprintf(stream, "%s;\n\n", sql) > 0;
		}
	}
	if (stream && fclose(stream) != 0)
		ok = false;
	return ok || pgm_error_set(err, PGM_ERR_SYSTEM, "writing %s: %s", path, strerror(errno));
}

static bool run_workload(struct demo *demo, struct pgm_error *err)
{
	heading(demo, "Their workload",
		"The applications' statements run, and PostgreSQL counts them in pg_stat_statements.");
	if (demo->has_statements) {
		if (!pgm_conn_exec(demo->conn, "SELECT " PGM_CONN_MARKER "public.pg_stat_statements_reset()",
				   err))
			return false;
	} else {
		printf("pg_stat_statements is not installed: the statements go into " WORKLOAD_FILE
		       " as well.\n");
		if (!write_workload(demo, err))
			return false;
	}
	double start = pgm_clock_ms();
	if (!pgm_demo_run_pass(demo->conn, &demo->workload, 0, show_progress, demo, err))
		return false;
	pgm_progress_clear();
	printf("%s statements in %s\n",
	       pgm_format_count(demo->arena, (double)pgm_demo_workload_pass_count(&demo->workload)),
	       pgm_format_ms(demo->arena, pgm_clock_ms() - start));
	return true;
}

static bool measure(struct demo *demo, bool after, struct pgm_error *err)
{
	for (size_t i = 0; i < demo->result_count; i++) {
		struct pgm_demo_result *result = &demo->results[i];
		show_progress(demo, (double)i / (double)demo->result_count, result->statement->title);
		if (!pgm_demo_measure(demo->conn, demo->arena, result->statement, HEADLINE_RUNS,
				      after ? &result->after : &result->before, err))
			return false;
	}
	pgm_progress_clear();
	return true;
}

static bool measure_before(struct demo *demo, struct pgm_error *err)
{
	heading(demo, "How slow it is",
		"Each headline query is measured a few times. Whatever would change rows is rolled back.");
	demo->results = PGM_NEW_ARRAY(demo->arena, struct pgm_demo_result,
				      pgm_demo_workload_headline_count(&demo->workload));
	for (size_t i = 0; i < demo->workload.statements.count; i++)
		if (demo->workload.statements.items[i].headline)
			demo->results[demo->result_count++].statement = &demo->workload.statements.items[i];
	double start = pgm_clock_ms();
	if (!measure(demo, false, err))
		return false;
	printf("%zu headline queries measured in %s. The figures are in the table at the end.\n",
	       demo->result_count, pgm_format_ms(demo->arena, pgm_clock_ms() - start));
	return true;
}

/*
 * Run ourselves, as the user would: echo the command, and let it print what it prints. True with its exit
 * code, which is PGM_EXIT_OK or, where it may find something, PGM_EXIT_FOUND; others are failures.
 */
static bool run_command(struct demo *demo, const char *const *words, bool may_find, int *code,
			struct pgm_error *err)
{
	const char *argv[12] = {"/proc/self/exe"};
	size_t count = 1;
	printf("%s$ pgmend", pgm_term_on(stdout, PGM_CYAN));
	for (; words[count - 1]; count++)
		argv[count] = words[count - 1];
	argv[count++] = demo->conninfo;
	for (size_t i = 1; i < count; i++)
		printf(" %s", pgm_demo_shell_word(demo->arena, argv[i]));
	printf("%s\n", pgm_term_off(stdout));
	fflush(stdout);

	struct pgm_process child = {
		.argv = argv, .cwd = pgm_cluster_folder(demo->cluster), .death_signal = SIGTERM};
	pid_t pid = pgm_process_start(&child, err);
	if (pid < 0)
		return false;
	int status = pgm_process_wait(pid);
	if (pgm_interrupted())
		return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	*code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (*code == PGM_EXIT_OK || (may_find && *code == PGM_EXIT_FOUND))
		return true;
	if (WIFEXITED(status))
		pgm_error_set(err, PGM_ERR_STATE, "\"pgmend %s\" ended with exit code %d", words[0], *code);
	else
		pgm_error_set(err, PGM_ERR_STATE, "\"pgmend %s\" was ended by signal %d", words[0],
			      WTERMSIG(status));
	return pgm_error_hint(err, "This is not how the demo should end: what went wrong stands above.");
}

struct command {
	const char *title;
	const char *why;
	const char *words[7];
	enum {
		FOUND_FAILS,	   /* exit code 1 is not to be expected of it */
		FOUND_IS_FINE,	   /* finding something is what it is for */
		FOUND_FALLS_SHORT, /* the Plan does not do all that it promised */
	} found;
};

static const struct command commands[] = {
	{"What is wrong",
	 "check reads the catalog and the statistics alone: it runs in a moment and locks nothing.",
	 {"check"},
	 FOUND_IS_FINE},
	{"What would help",
	 "advise reads the workload, asks the planner what each index would gain, and writes a Plan to "
	 "review.",
	 {"advise", "--out", PLAN_FILE}},
	{"What would be done",
	 "A dry run changes nothing: it shows each statement, its lock and who would stand in its way.",
	 {"apply", "--dry-run", PLAN_FILE}},
	{"Do it",
	 "The statements are measured, the indexes built while the applications could go on, and the "
	 "statements measured again.",
	 {"apply", "--verify", "--yes", PLAN_FILE},
	 FOUND_FALLS_SHORT},
	{"Are the new indexes in good health?",
	 "An index can be there and yet be invalid, or never be used.",
	 {"verify", "--health", PLAN_FILE},
	 FOUND_FALLS_SHORT},
	{"What was done, for the record",
	 "The Ledger in the database knows each change; \"pgmend rollback\" would undo them.",
	 {"history"}},
};

static bool main_job(struct demo *demo, struct pgm_error *err)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		heading(demo, commands[i].title, commands[i].why);
		if (i == 0)
			printf("%s$ cd %s%s\n", pgm_term_on(stdout, PGM_CYAN),
			       pgm_demo_shell_word(demo->arena, pgm_cluster_folder(demo->cluster)),
			       pgm_term_off(stdout));
		const char *words[10];
		size_t count = 0;
		for (const char *const *word = commands[i].words; *word; word++)
			words[count++] = *word;
		if (!demo->has_statements && strcmp(words[0], "advise") == 0) {
			words[count++] = "--workload";
			words[count++] = WORKLOAD_FILE;
		}
		words[count] = NULL;
		int code = -1;
		if (!run_command(demo, words, commands[i].found != FOUND_FAILS, &code, err))
			return false;
		/* The table at the end says more, so go on: but the demo does not end well. */
		if (code == PGM_EXIT_FOUND && commands[i].found == FOUND_FALLS_SHORT)
			demo->fell_short = words[0];
	}
	return true;
}

static bool measure_after(struct demo *demo, struct pgm_error *err)
{
	heading(demo, "Before and after",
		"The headline queries again, with the same values, after a VACUUM that index-only scans "
		"need.");
	if (!vacuum(demo, err) || !measure(demo, true, err))
		return false;
	pgm_demo_print_results(demo->arena, demo->results, demo->result_count);
	return true;
}

static void stage_heading(void *arg, const char *title, const char *why)
{
	heading(arg, title, why);
}

static bool stage_command(void *arg, const char *const *words, struct pgm_error *err)
{
	int code;
	return run_command(arg, words, false, &code, err);
}

static bool big_changes(struct demo *demo, struct pgm_error *err)
{
	struct pgm_demo_stage stage = {.arena = demo->arena,
				       .conn = demo->conn,
				       .connect = connect_again,
				       .heading = stage_heading,
				       .command = stage_command,
				       .arg = demo};
	bool fell_short = false;
	bool ok = pgm_demo_big_changes(&stage, &fell_short, err);
	if (fell_short)
		demo->fell_short = "partition";
	return ok;
}

static void print_how_to_go_on(const struct demo *demo)
{
	const char *account = pgm_cluster_account(demo->cluster);
	const char *conninfo = pgm_demo_shell_word(demo->arena, demo->conninfo);
	printf("\nThe server stays up. To look around:\n"
	       "  psql %s\n"
	       "  pgmend check %s\n"
	       "To stop and remove it:\n"
	       "  %s%s%s%s -D %s -m fast stop\n"
	       "  rm -r %s\n",
	       conninfo, conninfo, *account ? "runuser -u " : "", account, *account ? " -- " : "",
	       pgm_demo_shell_word(demo->arena, pgm_sprintf(demo->arena, "%s/pg_ctl",
							    pgm_cluster_programs(demo->cluster))),
	       pgm_demo_shell_word(demo->arena, pgm_cluster_data(demo->cluster)),
	       pgm_demo_shell_word(demo->arena, pgm_cluster_folder(demo->cluster)));
}

static bool parse_scale(const struct pgm_cli *cli, double *scale, struct pgm_error *err)
{
	const char *text = pgm_cli_value(cli, "scale");
	char *end = NULL;
	*scale = text ? strtod(text, &end) : 1;
	if (text && (end == text || *end || !(*scale >= SCALE_MIN && *scale <= SCALE_MAX)))
		return pgm_error_set(err, PGM_ERR_USAGE, "--scale is a number from %g to %d, not \"%s\"",
				     SCALE_MIN, SCALE_MAX, text);
	return true;
}

static bool parse_port(const struct pgm_cli *cli, int64_t *port, struct pgm_error *err)
{
	const char *text = pgm_cli_value(cli, "serve");
	return (!text || !*text || pgm_cli_int(cli, "serve", 1, 65535, port, err)) &&
	       pgm_demo_serve_port(*port, err);
}

/* PGHOST, PGOPTIONS and their like would lead our sessions and commands elsewhere. */
static void forget_libpq_environment(struct pgm_arena *arena)
{
	for (char **entry = environ; *entry;) {
		if (strncmp(*entry, "PG", 2) != 0 || strncmp(*entry, "PGMEND_", 7) == 0)
			entry++;
		else /* moves the following ones up */
			unsetenv(pgm_strndup(arena, *entry, strcspn(*entry, "=")));
	}
}

/* The main job in the user's hands: the applications work, and the dashboard shows it. */
static bool serve(struct demo *demo, struct pgm_error *err)
{
	struct pgm_demo_serve options = {
		.arena = demo->arena,
		.folder = pgm_cluster_folder(demo->cluster),
		.data = pgm_cluster_data(demo->cluster),
		.port = demo->port,
		.workload = &demo->workload,
	};
	heading(demo, "The applications at work, and the dashboard",
		"Each application runs its statements through the pooler of \"pgmend serve\", which "
		"watches.");
	show_progress(demo, -1, "");
	return pgm_demo_serve(&options, err);
}

static bool mend(struct demo *demo, struct pgm_error *err)
{
	return run_workload(demo, err) && measure_before(demo, err) && main_job(demo, err) &&
	       measure_after(demo, err) &&
	       (pgm_cli_flag(demo->cli, "indexes-only") || big_changes(demo, err));
}

static int run(struct pgm_cli *cli)
{
	struct demo demo = {.cli = cli, .arena = cli->arena};
	struct pgm_error err = {0};
	double start = pgm_clock_ms();
	bool serves = pgm_cli_flag(cli, "serve");
	forget_libpq_environment(cli->arena);
	bool ok = parse_scale(cli, &demo.scale, &err) && parse_port(cli, &demo.port, &err) &&
		  pgm_demo_statements(demo.arena, &demo.workload, &err) && start_server(&demo, &err) &&
		  load(&demo, &err) && (serves ? serve(&demo, &err) : mend(&demo, &err));
	if (ok && serves) /* Ctrl-C is how it ends; the server is still to be stopped */
		pgm_interrupt_reset();
	pgm_conn_close(demo.conn);
	if (ok && !serves)
		printf("Total time: %s.\n", pgm_format_ms(demo.arena, pgm_clock_ms() - start));
	/* Where a command failed, somebody who wanted to look around wants it all the more. */
	bool keep = demo.conninfo && pgm_cli_flag(cli, "keep") && !pgm_interrupted();
	if (keep) {
		print_how_to_go_on(&demo);
		pgm_cluster_release(demo.cluster);
	} else {
		pgm_progress_clear();
		pgm_cluster_close(demo.cluster);
	}
	if (ok && demo.fell_short) {
		fprintf(stderr, "pgmend demo: \"pgmend %s\" found that the Plan falls short, see above\n",
			demo.fell_short);
		return PGM_EXIT_FOUND;
	}
	if (!ok && pgm_interrupted())
		pgm_error_set(&err, PGM_ERR_CANCELED,
			      "stopped by the user; the server and its folder are removed");
	return ok ? PGM_EXIT_OK : pgm_cli_fail(cli, &err);
}

static const struct pgm_option options[] = {
	{0, "scale", "FACTOR", "how many rows: 1 (the default) makes about 4 million"},
	{0, "indexes-only", NULL, "end before the partitions and the purge"},
	{0, "serve", "[PORT]", "let the applications go on, and show the dashboard until Ctrl-C"},
	{0, "keep", NULL, "leave the server up at the end, and say how to connect and how to stop it"},
	{0, "dir", "DIR", "put the server's folder there instead of $TMPDIR or /tmp"},
	{0, NULL, NULL, NULL},
};

const struct pgm_cmd pgm_cmd_demo = {
	.name = "demo",
	.summary = "mend five example applications on a throw-away server",
	.operands = "",
	.description =
		"Starts a PostgreSQL server of its own from the installed programs, on a Unix socket in a "
		"temporary\nfolder, loads five small applications whose tables lack indexes, and runs their "
		"workload. Then it\nruns check, advise, apply, verify and history on them as you would, and "
		"ends with a table of what\neach query took before and after. Everything is removed at the "
		"end, also after Ctrl-C.\n\nWith --serve it does none of that: the applications stay at "
		"work, and "
		"the dashboard of \"pgmend serve\"\nshows it, for you to find what is slow, apply what helps "
		"and "
		"roll it back.\n\nAs root the server runs as user postgres. Its programs are found "
		"by pg_config, in the usual places\nor in PATH; PGMEND_PG_BIN names their folder otherwise.",
	.options = options,
	.run = run,
};
