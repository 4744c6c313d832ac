#include "cli/cmd.h"

#include "util/term.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

static int exit_code(enum pgm_error_kind kind)
{
	switch (kind) {
	case PGM_ERR_USAGE:
	case PGM_ERR_INPUT:
		return PGM_EXIT_USAGE;
	case PGM_ERR_CONNECT:
	case PGM_ERR_RIGHTS:
		return PGM_EXIT_CONNECT;
	default:
		return PGM_EXIT_FAILED;
	}
}

int pgm_cli_fail(const struct pgm_cli *cli, const struct pgm_error *err)
{
	pgm_progress_clear();
	fflush(stdout);
	fprintf(stderr, "%spgmend %s:%s %s\n", pgm_term_on(stderr, PGM_RED), cli->cmd->name,
		pgm_term_off(stderr), err->message);
	if (*err->hint)
		fprintf(stderr, "hint: %s\n", err->hint);
	return exit_code(err->kind);
}

struct pgm_conn *pgm_cli_connect(const struct pgm_cli *cli, struct pgm_error *err)
{
	struct pgm_conn *conn = pgm_conn_open(&cli->connection, err);
	if (!conn)
		return NULL;
	pgm_conn_cancel_on_interrupt(conn);
	return conn;
}

bool pgm_cli_confirm(const struct pgm_cli *cli, const char *question)
{
	if (pgm_cli_flag(cli, "yes") || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return true;
	fprintf(stderr, "%s [y/N] ", question);
	char answer[16] = "";
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return tolower((unsigned char)answer[0]) == 'y';
}
