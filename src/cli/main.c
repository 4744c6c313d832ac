/*
 * pgmend: measure, find, fix, prove. This file only finds the subcommand and prepares its run.
 */
#include "cli/cmd.h"
#include "util/interrupt.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void print_overview(FILE *stream)
{
	fputs("pgmend finds why a PostgreSQL database is slow, fixes it without downtime and proves it.\n\n"
	      "Usage:\n  pgmend COMMAND [OPTION]... [CONNINFO]\n\nCommands:\n",
	      stream);
	for (const struct pgm_cmd *const *cmd = pgm_commands; *cmd; cmd++)
		fprintf(stream, "  %-12s %s\n", (*cmd)->name, (*cmd)->summary);
	fputs("\n\"pgmend COMMAND --help\" (or \"pgmend help COMMAND\") tells more. CONNINFO is what psql "
	      "takes: a\n"
	      "database name, \"host=... dbname=...\" or postgresql://...; without it PGHOST, PGUSER and so "
	      "on "
	      "count.\n",
	      stream);
}

static void out_of_memory(size_t limit_bytes)
{
	fprintf(stderr, "pgmend: out of memory (the limit of one run is %zu MB)\n", limit_bytes >> 20);
	exit(PGM_EXIT_FAILED);
}

/* A password in an argument can be read from the process list: blank it, and go on with a copy. */
static char *take_secret(struct pgm_arena *arena, char *word)
{
	bool uri = strstr(word, "://") && strchr(word, '@');
	if (!uri && !strstr(word, "password") && !strstr(word, "PASSWORD"))
		return word;
	char *copy = pgm_strdup(arena, word);
	memset(word, 'x', strlen(word));
	return copy;
}

static int help(int argc, char **argv)
{
	bool man = argc > 2 && strcmp(argv[2], "--man") == 0;
	const char *name = argc > 2 + man ? argv[2 + man] : NULL;
	const struct pgm_cmd *cmd = name ? pgm_cmd_find(name) : NULL;
	if (name && !cmd) {
		fprintf(stderr, "pgmend: there is no command \"%s\"\n", name);
		return PGM_EXIT_USAGE;
	}
	if (!cmd && man)
		pgm_cli_print_man_overview(stdout);
	else if (!cmd)
		print_overview(stdout);
	else if (man)
		pgm_cli_print_man(cmd, stdout);
	else
		pgm_cli_print_help(cmd, stdout);
	return PGM_EXIT_OK;
}

static int run_command(const struct pgm_cmd *cmd, int argc, char **argv)
{
	struct pgm_error err = {0};
	struct pgm_cli cli = {.arena = pgm_arena_new(0), .cmd = cmd};
	char **words = PGM_NEW_ARRAY(cli.arena, char *, argc + 1);
	for (int i = 0; i < argc; i++)
		words[i] = take_secret(cli.arena, argv[i]);
	int code;
	if (!pgm_cli_parse(&cli, argc, words, &err)) {
		code = pgm_cli_fail(&cli, &err);
	} else if (pgm_cli_flag(&cli, "help")) {
		pgm_cli_print_help(cmd, stdout);
		code = PGM_EXIT_OK;
	} else {
		pgm_interrupt_install();
		code = cmd->run(&cli);
	}
	pgm_arena_free(cli.arena);
	return code;
}

/* A child of pgmend serve ends with it, and cleans up even where nobody reads what it says any more. */
static void tie_to_serve(void)
{
	const char *serve = getenv("PGMEND_JOB");
	if (!serve)
		return;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may grow no further is a write that fails, and no more */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (strtol(serve, NULL, 10) != getppid())
		exit(PGM_EXIT_FAILED); /* it ended before that call */
}

int main(int argc, char **argv)
{
	tie_to_serve();
	setlocale(LC_CTYPE, "");
	pgm_arena_on_exhausted(out_of_memory);
	/* A core file would hold connection strings. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});

	const char *name = argc > 1 ? argv[1] : NULL;
	if (!name) {
		print_overview(stderr);
		return PGM_EXIT_USAGE;
	}
	if (strcmp(name, "help") == 0)
		return help(argc, argv);
	if (strcmp(name, "--help") == 0 || strcmp(name, "-?") == 0) {
		print_overview(stdout);
		return PGM_EXIT_OK;
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		printf("pgmend %s\n", PGM_VERSION);
		return PGM_EXIT_OK;
	}
	const struct pgm_cmd *cmd = pgm_cmd_find(name);
	if (!cmd) {
		fprintf(stderr, "pgmend: there is no command \"%s\"\nhint: \"pgmend help\" lists them.\n",
			name);
		return PGM_EXIT_USAGE;
	}
	int code = run_command(cmd, argc - 1, argv + 1);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("pgmend: cannot write to standard output\n", stderr);
		return code ? code : PGM_EXIT_FAILED;
	}
	return code;
}
