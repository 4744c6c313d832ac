#include "cli/commands.h"
#include "cli/sessions_print.h"

#include <string.h>
#include <unistd.h>

#define LOG_LIMIT 1000

struct request {
	enum pgm_format format;
	bool cancel, terminate;
	int64_t long_ms, wait_ms;
	struct pgm_session_rules rules;
};

static bool read_request(const struct pgm_cli *cli, struct request *request, struct pgm_error *err)
{
	struct pgm_session_rules *rules = &request->rules;
	*request = (struct request){
		.cancel = pgm_cli_flag(cli, "cancel"),
		.terminate = pgm_cli_flag(cli, "terminate"),
		.long_ms = 60 * 1000,
		.wait_ms = 10 * 1000,
		.rules = {.idle_in_transaction_ms = -1,
			  .running_ms = -1,
			  .blocking_ms = -1,
			  .orphans = pgm_cli_flag(cli, "orphans")},
	};
	if (!pgm_cli_format_among(cli, 1u << PGM_FORMAT_TEXT | 1u << PGM_FORMAT_JSON, &request->format,
				  err) ||
	    !pgm_cli_duration_ms(cli, "long", &request->long_ms, err) ||
	    !pgm_cli_duration_ms(cli, "wait", &request->wait_ms, err) ||
	    !pgm_cli_duration_ms(cli, "idle-in-transaction-longer", &rules->idle_in_transaction_ms, err) ||
	    !pgm_cli_duration_ms(cli, "running-longer", &rules->running_ms, err) ||
	    !pgm_cli_duration_ms(cli, "blocking-longer", &rules->blocking_ms, err))
		return false;
	rules->id_count = pgm_cli_listed(cli, "pid", &rules->ids);
	rules->user_count = pgm_cli_values(cli, "user", &rules->users);
	rules->database_count = pgm_cli_values(cli, "database", &rules->databases);
	rules->application_count = pgm_cli_values(cli, "application", &rules->applications);
	if (request->cancel && request->terminate)
		return pgm_error_set(err, PGM_ERR_USAGE, "--cancel and --terminate exclude each other");
	if ((request->cancel || request->terminate) && !pgm_session_rules_any(rules)) {
		pgm_error_set(err, PGM_ERR_USAGE, "--%s: which sessions?",
			      request->cancel ? "cancel" : "terminate");
		return pgm_error_hint(err,
				      "Give --pid, --idle-in-transaction-longer, --running-longer, "
				      "--blocking-longer, --orphans, --user, --database or --application.");
	}
	return true;
}

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	putchar('\n');
	json_decref(json);
}

/* Without --all: whoever does something, holds something up or waits; with a rule: whom it fits. */
static bool *choose_shown(const struct pgm_cli *cli, const struct request *request,
			  const struct pgm_sessions *sessions, struct pgm_error *err)
{
	bool *shown = PGM_NEW_ARRAY(cli->arena, bool, sessions->count + 1);
	struct pgm_session_choice *choices;
	size_t count;
	if (pgm_session_rules_any(&request->rules)) {
		if (!pgm_sessions_choose(sessions, &request->rules, true, cli->arena, &choices, &count, err))
			return NULL;
		for (size_t i = 0; i < count; i++)
			shown[choices[i].session - sessions->items] = true;
		return shown;
	}
	for (size_t i = 0; i < sessions->count; i++) {
		const struct pgm_session *session = &sessions->items[i];
		bool idle = strcmp(session->state, "idle") == 0 && session->client != PGM_CLIENT_GONE;
		bool busy = session->gid || (session->hidden && session->user) || session->blocks ||
			    session->wanted || (pgm_session_is_client(session) && !idle && !session->own);
		shown[i] = busy || pgm_cli_flag(cli, "all");
	}
	return shown;
}

static int show(const struct pgm_cli *cli, const struct pgm_conn *conn, const struct request *request,
		const struct pgm_sessions *sessions)
{
	struct pgm_error err = {0};
	int version = pgm_conn_version(conn);
	struct pgm_sessions_view view = {
		.arena = cli->arena,
		.sessions = sessions,
		.shown = choose_shown(cli, request, sessions, &err),
		.long_ms = request->long_ms,
		.server = pgm_sprintf(cli->arena, "%d.%d", version / 10000, version % 10000),
		.database = pgm_conn_database(conn),
	};
	if (!view.shown)
		return pgm_cli_fail(cli, &err);
	if (request->format == PGM_FORMAT_JSON)
		print_json(pgm_sessions_json(&view));
	else
		pgm_sessions_print(&view, stdout);
	return PGM_EXIT_OK;
}

/* Unlike other commands, without a terminal nothing is done unless --yes says so. */
static bool confirmed(const struct pgm_cli *cli, size_t count, bool terminate)
{
	if (pgm_cli_flag(cli, "dry-run"))
		return false;
	if (pgm_cli_flag(cli, "yes"))
		return true;
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO) &&
	       pgm_cli_confirm(cli, pgm_sprintf(cli->arena, "%s %zu session%s?", terminate ? "End" : "Cancel",
						count, count == 1 ? "" : "s"));
}

static int end(const struct pgm_cli *cli, struct pgm_conn *conn, const struct request *request,
	       const struct pgm_sessions *sessions)
{
	struct pgm_error err = {0};
	struct pgm_session_choice *choices;
	struct pgm_session_end end = {.terminate = request->terminate, .wait_ms = (double)request->wait_ms};
	bool json = request->format == PGM_FORMAT_JSON, ok = true;
	size_t count, meant = 0;
	if (!pgm_sessions_choose(sessions, &request->rules, request->terminate, cli->arena, &choices, &count,
				 &err))
		return pgm_cli_fail(cli, &err);
	for (size_t i = 0; i < count; i++)
		meant += !choices[i].spared;
	if (!json && count) {
		pgm_sessions_print_choices(cli->arena, choices, count, request->terminate, stdout);
		putchar('\n');
		fflush(stdout);
	}
	bool act = meant && confirmed(cli, meant, request->terminate);
	if (act)
		ok = pgm_sessions_end(conn, cli->arena, choices, count, &end, &err);
	if (json)
		print_json(pgm_sessions_choices_json(cli->arena, choices, count, request->terminate, act,
						     end.unrecorded));
	else if (act)
		pgm_sessions_print_choices(cli->arena, choices, count, request->terminate, stdout);
	else if (!meant)
		puts(count ? "Nothing was done." : "No session fits: nothing to do.");
	else
		puts("Nothing was done: --yes does it.");
	if (act && end.unrecorded)
		fprintf(stderr, "pgmend sessions: this is not in the record (%s)\n", end.unrecorded);
	if (!ok)
		return pgm_cli_fail(cli, &err);
	bool let_be = pgm_cli_flag(cli, "yes") && request->rules.id_count && meant < count;
	return (act && !end.all_done) || let_be ? PGM_EXIT_FAILED : PGM_EXIT_OK;
}

static int show_record(const struct pgm_cli *cli, struct pgm_conn *conn, const struct request *request)
{
	struct pgm_error err = {0};
	struct pgm_session_log_entry *entries;
	size_t count;
	if (!pgm_session_log_read(conn, cli->arena, LOG_LIMIT, &entries, &count, &err))
		return pgm_cli_fail(cli, &err);
	if (request->format == PGM_FORMAT_JSON)
		print_json(pgm_sessions_log_json(entries, count));
	else if (count)
		pgm_sessions_print_log(cli->arena, entries, count, stdout);
	else
		puts("No session was canceled or ended from this database.");
	return PGM_EXIT_OK;
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct request request;
	struct pgm_sessions sessions;
	if (!read_request(cli, &request, &err))
		return pgm_cli_fail(cli, &err);
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (!conn)
		return pgm_cli_fail(cli, &err);
	if (pgm_cli_flag(cli, "record"))
		return show_record(cli, conn, &request);
	if (!pgm_sessions_look(conn, cli->arena, &sessions, &err))
		return pgm_cli_fail(cli, &err);
	return request.cancel || request.terminate ? end(cli, conn, &request, &sessions)
						   : show(cli, conn, &request, &sessions);
}

static const struct pgm_option options[] = {
	{'a', "all", NULL, "list idle sessions and the server's own processes too"},
	{0, "long", "TIME", "what counts as running or idle for long (default 1min)"},
	{0, "cancel", NULL, "stop the statements of the sessions that fit"},
	{0, "terminate", NULL, "end the sessions that fit"},
	{0, "pid", "PID,...", "these; PID@START, as --format=json shows it, is this session only"},
	{0, "idle-in-transaction-longer", "TIME", "those that do nothing in a transaction for so long"},
	{0, "running-longer", "TIME", "those whose statement runs for so long"},
	{0, "blocking-longer", "TIME", "those that others have waited for so long"},
	{0, "orphans", NULL, "only those whose client is gone"},
	{0, "user", "NAME", "only those of this user (repeatable)"},
	{0, "database", "NAME", "only those of this database (repeatable)"},
	{0, "application", "NAME", "only those with this application_name (repeatable)"},
	{'y', "yes", NULL, "do it; without, a terminal is asked, and elsewhere nothing is done"},
	{'n', "dry-run", NULL, "only show which sessions fit"},
	{0, "wait", "TIME", "how long to wait until they are gone (default 10s)"},
	{0, "record", NULL, "show which sessions were cancelled or ended, by whom and why"},
	{0, "format", "FORMAT", "text or json (default text)"},
	{0, NULL, NULL, NULL},
};

const struct pgm_cmd pgm_cmd_sessions = {
	.name = "sessions",
	.summary = "show who blocks whom, idle transactions and orphans; cancel or end sessions",
	.operands = "",
	.flags = PGM_CMD_CONNECTS,
	.description =
		"Looks at every session of the server, locking nothing: a tree of who waits for whom (also "
		"those who only stand before others in a lock's queue, and prepared transactions), idle "
		"transactions, long statements, statements whose client is gone, with their age, locks and, "
		"on "
		"the server's machine, memory.\n\n"
		"With --cancel or --terminate it first shows which sessions fit, and ends them with --yes or "
		"after you said so on the terminal. A session is known by its process id and the moment it "
		"began; one that has gone on since is let be. Replication, the server's own processes and "
		"other runs of pgmend are ended only by --pid. What was done is recorded in the ledger "
		"(schema "
		"pgmend), where that can be written.",
	.options = options,
	.run = run,
};
