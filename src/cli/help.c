#include "cli/cmd.h"

#include <string.h>

static void print_option(const struct pgm_option *row, FILE *stream)
{
	char left[64];
	bool optional = row->argument && *row->argument == '[';
	snprintf(left, sizeof(left), "%s%c%s--%s%s%s", row->short_name ? "-" : " ",
		 row->short_name ? row->short_name : ' ', row->short_name ? ", " : "  ", row->long_name,
		 optional	 ? "[="
		 : row->argument ? "="
				 : "",
		 row->argument ? row->argument + optional : "");
	if (strlen(left) > 27)
		fprintf(stream, "  %s\n%31s%s\n", left, "", row->help);
	else
		fprintf(stream, "  %-27s  %s\n", left, row->help);
}

static void print_usage_line(const struct pgm_cmd *cmd, FILE *stream)
{
	fprintf(stream, "pgmend %s [OPTION]...%s%s%s", cmd->name, *cmd->operands ? " " : "", cmd->operands,
		cmd->flags & PGM_CMD_CONNECTS ? " [CONNINFO]" : "");
}

void pgm_cli_print_help(const struct pgm_cmd *cmd, FILE *stream)
{
	fprintf(stream, "pgmend %s: %s.\n\nUsage:\n  ", cmd->name, cmd->summary);
	print_usage_line(cmd, stream);
	fprintf(stream, "\n\n%s\n\nOptions:\n", cmd->description);
	for (const struct pgm_option *row = cmd->options; row && row->long_name; row++)
		print_option(row, stream);
	fprintf(stream, "  %-27s  %s\n", "-?, --help", "show this help");
	if (!(cmd->flags & PGM_CMD_CONNECTS))
		return;
	fputs("\nConnection options (CONNINFO is a database name, a key=value string or a URI, as in "
	      "psql):\n",
	      stream);
	for (const struct pgm_option *row = pgm_connection_options; row->long_name; row++)
		print_option(row, stream);
}

/* Text for roff: backslashes and leading dots would be commands. */
static void print_roff(const char *text, FILE *stream)
{
	bool line_start = true;
	for (; *text; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			fputs("\\&", stream);
		if (*text == '\\')
			fputs("\\e", stream);
		else if (*text == '-')
			fputs("\\-", stream);
		else if (text[0] == '\n' && text[1] == '\n')
			fputs("\n.PP", stream);
		else
			fputc(*text, stream);
		line_start = *text == '\n';
	}
}

static void print_man_options(const struct pgm_option *rows, FILE *stream)
{
	for (const struct pgm_option *row = rows; row && row->long_name; row++) {
		fputs(".TP\n", stream);
		if (row->short_name)
			fprintf(stream, "\\fB\\-%c\\fR, ", row->short_name);
		fputs("\\fB\\-\\-", stream);
		print_roff(row->long_name, stream);
		fputs("\\fR", stream);
		bool optional = row->argument && *row->argument == '[';
		if (row->argument)
			fprintf(stream, "%s\\fI%s\\fR", optional ? "[=" : "=", row->argument + optional);
		fputc('\n', stream);
		print_roff(row->help, stream);
		fputc('\n', stream);
	}
}

void pgm_cli_print_man(const struct pgm_cmd *cmd, FILE *stream)
{
	fprintf(stream, ".TH PGMEND\\-%s 1 \"\" \"pgmend %s\"\n.SH NAME\npgmend\\-%s \\- ", cmd->name,
		PGM_VERSION, cmd->name);
	print_roff(cmd->summary, stream);
	fputs("\n.SH SYNOPSIS\n", stream);
	print_usage_line(cmd, stream);
	fputs("\n.SH DESCRIPTION\n", stream);
	print_roff(cmd->description, stream);
	fputs("\n.SH OPTIONS\n", stream);
	print_man_options(cmd->options, stream);
	if (cmd->flags & PGM_CMD_CONNECTS) {
		fputs(".SH CONNECTION OPTIONS\n", stream);
		print_man_options(pgm_connection_options, stream);
	}
	fputs(".SH EXIT STATUS\n"
	      "0: nothing to do, or done. 1: findings at or above \\-\\-fail\\-on, or a verification that "
	      "failed.\n"
	      "2: wrong arguments or a file that cannot be read. 3: cannot connect, or not allowed.\n"
	      "4: the run failed part way.\n",
	      stream);
}

void pgm_cli_print_man_overview(FILE *stream)
{
	fprintf(stream,
		".TH PGMEND 1 \"\" \"pgmend %s\"\n.SH NAME\npgmend \\- find, fix and prove what makes a "
		"PostgreSQL "
		"database slow\n.SH SYNOPSIS\npgmend COMMAND [OPTION]... [CONNINFO]\n.SH COMMANDS\n",
		PGM_VERSION);
	for (const struct pgm_cmd *const *cmd = pgm_commands; *cmd; cmd++) {
		fprintf(stream, ".TP\n\\fB%s\\fR\n", (*cmd)->name);
		print_roff((*cmd)->summary, stream);
		fputc('\n', stream);
	}
	fputs(".SH CONNECTION\nCONNINFO is what psql takes: a database name, a key=value string or a URI; "
	      "without it\n"
	      "PGHOST, PGPORT, PGUSER, PGDATABASE, service files and .pgpass count.\n"
	      ".SH SEE ALSO\npgmend\\-COMMAND(1), psql(1)\n",
	      stream);
}

void pgm_cli_print_completion(FILE *stream)
{
	fputs("# bash completion for pgmend\n_pgmend()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=\n"
	      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\twords=\"",
	      stream);
	for (const struct pgm_cmd *const *cmd = pgm_commands; *cmd; cmd++)
		fprintf(stream, "%s ", (*cmd)->name);
	fputs("help\"\n\telse\n\t\tcase ${COMP_WORDS[1]} in\n", stream);
	for (const struct pgm_cmd *const *cmd = pgm_commands; *cmd; cmd++) {
		fprintf(stream, "\t\t%s) words=\"", (*cmd)->name);
		for (const struct pgm_option *row = (*cmd)->options; row && row->long_name; row++)
			fprintf(stream, "--%s%s ", row->long_name,
				row->argument && *row->argument != '[' ? "=" : "");
		if ((*cmd)->flags & PGM_CMD_CONNECTS)
			for (const struct pgm_option *row = pgm_connection_options; row->long_name; row++)
				fprintf(stream, "--%s= ", row->long_name);
		fputs("--help\" ;;\n", stream);
	}
	fputs("\t\tesac\n\tfi\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\"; compgen -f -- "
	      "\"$cur\")\n"
	      "\t[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n}\ncomplete -F _pgmend pgmend\n",
	      stream);
}
