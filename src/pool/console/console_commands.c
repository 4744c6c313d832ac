/*
 * The table of commands, and what is done with a query: words, rights, the command's function.
 */
#include "pool/console/console_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static pgm_console_function show_help, show_commands;

#define SHOW(object, rights, function)               \
	{                                            \
		"SHOW", object, "", rights, function \
	}
#define LOOK  PGM_CONSOLE_LOOK
#define ADMIN PGM_CONSOLE_ADMIN

const struct pgm_console_command pgm_console_commands[] = {
	SHOW("HELP", LOOK, show_help),
	SHOW("COMMANDS", LOOK, show_commands),
	SHOW("CONFIG", LOOK, pgm_console_show_config),
	SHOW("DATABASES", LOOK, pgm_console_show_databases),
	SHOW("POOLS", LOOK, pgm_console_show_pools),
	SHOW("CLIENTS", LOOK, pgm_console_show_clients),
	SHOW("SERVERS", LOOK, pgm_console_show_servers),
	SHOW("USERS", LOOK, pgm_console_show_users),
	SHOW("VERSION", LOOK, pgm_console_show_version),
	SHOW("PEERS", LOOK, pgm_console_show_peers),
	SHOW("PEER_POOLS", LOOK, pgm_console_show_peer_pools),
	SHOW("FDS", ADMIN, pgm_console_show_fds),
	SHOW("SOCKETS", LOOK, pgm_console_show_sockets),
	SHOW("ACTIVE_SOCKETS", LOOK, pgm_console_show_active_sockets),
	SHOW("LISTS", LOOK, pgm_console_show_lists),
	SHOW("MEM", LOOK, pgm_console_show_mem),
	SHOW("STATE", LOOK, pgm_console_show_state),
	SHOW("DNS_HOSTS", LOOK, pgm_console_show_dns_hosts),
	SHOW("DNS_ZONES", LOOK, pgm_console_show_dns_zones),
	SHOW("STATS", LOOK, pgm_console_show_stats),
	SHOW("STATS_TOTALS", LOOK, pgm_console_show_stats_totals),
	SHOW("STATS_AVERAGES", LOOK, pgm_console_show_stats_averages),
	SHOW("TOTALS", LOOK, pgm_console_show_totals),
	SHOW("QUERIES", LOOK, pgm_console_show_queries),
	SHOW("TRANSACTIONS", LOOK, pgm_console_show_transactions),
	SHOW("PINNED", LOOK, pgm_console_show_pinned),
	SHOW("WAITS", LOOK, pgm_console_show_waits),
	{"SET", NULL, "key = arg", ADMIN, NULL}, /* has two arguments: run_set() */
	{"RELOAD", NULL, "", ADMIN, pgm_console_reload},
	{"PAUSE", NULL, "[<db>]", ADMIN, pgm_console_pause},
	{"RESUME", NULL, "[<db>]", ADMIN, pgm_console_resume_command},
	{"DISABLE", NULL, "<db>", ADMIN, pgm_console_disable},
	{"ENABLE", NULL, "<db>", ADMIN, pgm_console_enable},
	{"RECONNECT", NULL, "[<db>]", ADMIN, pgm_console_reconnect},
	{"KILL", NULL, "[<db>]", ADMIN, pgm_console_kill},
	{"KILL_CLIENT", NULL, "<client_id>", ADMIN, pgm_console_kill_client},
	{"SUSPEND", NULL, "", ADMIN, pgm_console_suspend},
	{"SHUTDOWN", NULL, "[WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS]", ADMIN, pgm_console_shutdown},
	{"WAIT_CLOSE", NULL, "[<db>]", ADMIN, pgm_console_wait_close},
};
const size_t pgm_console_command_count = sizeof(pgm_console_commands) / sizeof(*pgm_console_commands);

static void show_commands(struct pgm_pooler *pooler, struct pgm_console_request *request,
			  const char *argument)
{
	(void)pooler;
	(void)argument;
	pgm_answer_columns(&request->answer, "command syntax rights");
	for (size_t i = 0; i < pgm_console_command_count; i++) {
		const struct pgm_console_command *command = &pgm_console_commands[i];
		pgm_answer_row(&request->answer);
		pgm_answer_format(&request->answer, "%s%s%s", command->verb, command->object ? " " : "",
				  command->object ? command->object : "");
		pgm_answer_text(&request->answer, command->syntax);
		pgm_answer_text(&request->answer, command->rights == ADMIN ? "admin" : "stats");
	}
	pgm_answer_done(&request->answer, "SHOW");
}

/* As PgBouncer: a notice, which psql shows with its detail. */
static void show_help(struct pgm_pooler *pooler, struct pgm_console_request *request, const char *argument)
{
	char text[4096];
	size_t length = 0, column = 0;
	(void)pooler;
	(void)argument;
	text[0] = '\0';
	for (size_t i = 0; i < pgm_console_command_count; i++) {
		const struct pgm_console_command *command = &pgm_console_commands[i];
		const char *name = command->object ? command->object : command->verb;
		bool first = i == 0 || !command->object;
		if (command->object && column > 60)
			first = true;
		if (first)
			column = 0;
		int added = snprintf(text + length, sizeof(text) - length, "%s%s%s%s%s", first ? "\n\t" : "|",
				     first && command->object ? "SHOW " : "", name,
				     *command->syntax ? " " : "", command->syntax);
		length += (size_t)added < sizeof(text) - length ? (size_t)added : 0;
		column += (size_t)added;
	}
	pgm_answer_notice(&request->answer, "Console usage", text);
	pgm_answer_done(&request->answer, "SHOW");
}

/* Some clients ask for or set these at once, whoever they talk to; PgBouncer's list. */
static const char *const imitated[][2] = {
	{"client_encoding", "UTF-8"},
	{"default_transaction_isolation", "read committed"},
	{"standard_conforming_strings", "on"},
	{"datestyle", "ISO"},
	{"timezone", "GMT"},
};

static const char *const *find_imitated(const char *name)
{
	for (size_t i = 0; i < sizeof(imitated) / sizeof(*imitated); i++)
		if (strcasecmp(imitated[i][0], name) == 0)
			return imitated[i];
	return NULL;
}

static const struct pgm_console_command *find(const struct pgm_console_words *words)
{
	/* "select" for "show" is PgBouncer's */
	const char *verb = strcasecmp(words->verb, "select") == 0 ? "SHOW" : words->verb;
	for (size_t i = 0; i < pgm_console_command_count; i++) {
		const struct pgm_console_command *command = &pgm_console_commands[i];
		if (strcasecmp(command->verb, verb) == 0 &&
		    (!command->object || strcasecmp(command->object, words->argument) == 0))
			return command;
	}
	return NULL;
}

static void run_command(struct pgm_pooler *pooler, struct pgm_console_request *request,
			const struct pgm_console_command *command, const struct pgm_console_words *words)
{
	struct pgm_answer *answer = &request->answer;
	if (command->rights == PGM_CONSOLE_ADMIN && !request->admin)
		pgm_answer_error(answer, "42501", NULL, "admin access needed");
	else if (words->is_set)
		pgm_console_set(pooler, request, words->argument, words->value);
	else if (!command->object && *words->argument && !*command->syntax)
		pgm_answer_error(answer, "42601", NULL, "invalid command '%.500s', use SHOW HELP;",
				 request->sql);
	else
		command->run(pooler, request, command->object ? "" : words->argument);
}

bool pgm_console_run(struct pgm_pooler *pooler, struct pgm_console_request *request)
{
	struct pgm_answer *answer = &request->answer;
	struct pgm_console_words words;
	bool understood = pgm_console_words(request->sql, &words);
	const char *const *same = understood && *words.argument ? find_imitated(words.argument) : NULL;
	const struct pgm_console_command *command = understood ? find(&words) : NULL;
	if (understood && !*words.verb) {
		static const uint8_t empty[] = {
			PGM_BE_EMPTY_QUERY, 0, 0, 0, 4, PGM_BE_READY, 0, 0, 0, 5, 'I'};
		if ((answer->bytes = malloc(sizeof(empty)))) {
			memcpy(answer->bytes, empty, sizeof(empty));
			answer->length = sizeof(empty);
		} else {
			answer->failed = true;
		}
	} else if (same && words.is_set) {
		pgm_answer_notice(answer, "SET ignored", NULL);
		pgm_answer_done(answer, "SET");
	} else if (same && (strcasecmp(words.verb, "show") == 0 || strcasecmp(words.verb, "select") == 0)) {
		pgm_answer_columns(answer, same[0]);
		pgm_answer_row(answer);
		pgm_answer_text(answer, same[1]);
		pgm_answer_done(answer, "SHOW");
	} else if (words.too_long) {
		pgm_answer_error(answer, "42601", NULL, "bad arguments");
	} else if (!command) {
		pgm_answer_error(answer, "42601", NULL, "invalid command '%.500s', use SHOW HELP;",
				 request->sql);
	} else {
		run_command(pooler, request, command, &words);
	}
	return request->wait == PGM_CONSOLE_WAIT_NOTHING;
}
