/*
 * A subcommand is one file, cmd_<name>.c, that defines one struct pgm_cmd and is listed in commands.c. Its
 * option rows make parsing, --help, the man page and shell completion.
 *
 * To add a subcommand: write cmd_<name>.c, add it to commands.c and meson.build, write docs/<name>.md.
 *
 * run() may print; it returns an exit code. Everything it allocates from cli->arena is freed after it.
 */
#ifndef PGM_CLI_CMD_H
#define PGM_CLI_CMD_H

#include "pg/conn.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/format.h"

#include <stdio.h>

enum pgm_exit {
	PGM_EXIT_OK = 0,      /* nothing to do, or done */
	PGM_EXIT_FOUND = 1,   /* findings at or above --fail-on, or a verification that failed */
	PGM_EXIT_USAGE = 2,   /* wrong arguments, or a file that cannot be read */
	PGM_EXIT_CONNECT = 3, /* cannot connect, or not allowed */
	PGM_EXIT_FAILED = 4,  /* the run failed part way; the ledger says where */
};

enum pgm_cmd_flags {
	PGM_CMD_CONNECTS = 1, /* takes CONNINFO as its last argument, and -h -p -U -d */
	/* With CONNECTS: operands_min words, any number of files, then CONNINFO, if the last argument is
	 * neither "-", nor ends as files do (.sql, .csv...), nor can be read, and -d is not given. */
	PGM_CMD_FILES = 2,
};

struct pgm_option {
	char short_name;       /* or 0 */
	const char *long_name; /* without dashes; NULL ends the rows */
	const char *argument;  /* "SIZE"; "[FILE]" where it may be left out; NULL for a flag */
	const char *help;
};

struct pgm_cli;

struct pgm_cmd {
	const char *name;
	const char *summary;  /* one line, no full stop */
	const char *operands; /* before CONNINFO: "PLAN.sql"; "" for none */
	int operands_min;     /* how many of them must be given */
	int operands_max;     /* CONNINFO not counted */
	/* How many must be given with these options; NULL: operands_min. */
	int (*operands_needed)(const struct pgm_cli *cli);
	unsigned flags;
	const char *description; /* a few paragraphs for --help and the man page */
	const struct pgm_option *options;
	int (*run)(struct pgm_cli *cli);
};

struct pgm_option_value {
	const char *long_name;
	const char *value; /* "" for a flag */
};

struct pgm_cli {
	struct pgm_arena *arena;
	const struct pgm_cmd *cmd;
	struct pgm_option_value *values; /* in the order given */
	size_t value_count;
	const char **operands; /* without CONNINFO */
	size_t operand_count;
	struct pgm_conn_options connection;
};

extern const struct pgm_cmd *const pgm_commands[]; /* NULL ends it */
extern const struct pgm_option pgm_connection_options[];
const struct pgm_cmd *pgm_cmd_find(const char *name);

/* Parse what follows the subcommand's name. Fails with PGM_ERR_USAGE. */
bool pgm_cli_parse(struct pgm_cli *cli, int argc, char **argv, struct pgm_error *err) PGM_MUST_CHECK;

bool pgm_cli_flag(const struct pgm_cli *cli, const char *long_name);
const char *pgm_cli_value(const struct pgm_cli *cli, const char *long_name); /* the last one, or NULL */
/* Each value of an option that may be repeated. */
size_t pgm_cli_values(const struct pgm_cli *cli, const char *long_name, const char ***values);

/* Values that have a form: *result stays as it is where the option was not given. */
bool pgm_cli_bytes(const struct pgm_cli *cli, const char *long_name, int64_t *result,
		   struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_cli_duration_ms(const struct pgm_cli *cli, const char *long_name, int64_t *result,
			 struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_cli_int(const struct pgm_cli *cli, const char *long_name, int64_t min, int64_t max, int64_t *result,
		 struct pgm_error *err) PGM_MUST_CHECK;

enum pgm_format {
	PGM_FORMAT_TEXT,
	PGM_FORMAT_JSON,
	PGM_FORMAT_MARKDOWN,
	PGM_FORMAT_SARIF,
	PGM_FORMAT_HTML,
	PGM_FORMATS,
};
/* --format, one of those whose bits (1 << PGM_FORMAT_TEXT) are set */
bool pgm_cli_format_among(const struct pgm_cli *cli, unsigned formats, enum pgm_format *format,
			  struct pgm_error *err) PGM_MUST_CHECK;
/* --format=text|json|markdown */
bool pgm_cli_format(const struct pgm_cli *cli, enum pgm_format *format, struct pgm_error *err) PGM_MUST_CHECK;

/* Whether the arguments name a database: CONNINFO or any of -h -p -U -d. */
bool pgm_cli_names_database(const struct pgm_cli *cli);

/* The values of a repeatable option, each a list with commas. */
size_t pgm_cli_listed(const struct pgm_cli *cli, const char *long_name, const char ***items);

/* Connect as the arguments say; Ctrl-C will cancel what the session runs. */
struct pgm_conn *pgm_cli_connect(const struct pgm_cli *cli, struct pgm_error *err) PGM_MUST_CHECK;

/* Print "pgmend <cmd>: message" and the hint to stderr; returns the exit code for that kind of error. */
int pgm_cli_fail(const struct pgm_cli *cli, const struct pgm_error *err);

/* Ask on the terminal; true without asking where --yes was given or stdin or stderr is no terminal. */
bool pgm_cli_confirm(const struct pgm_cli *cli, const char *question);

void pgm_cli_print_help(const struct pgm_cmd *cmd, FILE *stream);
void pgm_cli_print_man(const struct pgm_cmd *cmd, FILE *stream);
void pgm_cli_print_man_overview(FILE *stream);
void pgm_cli_print_completion(FILE *stream);

#endif
