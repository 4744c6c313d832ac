#include "cli/commands.h"
#include "cli/daemon.h"

#include "pg/conninfo.h"
#include "pool/log.h"
#include "serve/serve.h"
#include "util/hash.h"
#include "util/safe_text.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct pgm_option options[] = {
	{0, "listen", "ADDRESS", "listen on this address (listen in [serve]; 127.0.0.1)"},
	{0, "port", "PORT", "listen on this port (port in [serve]; 8432); 0: any that is free"},
	{0, "tokens", "FILE", "the file of tokens (tokens in [serve])"},
	{0, "token-file", "FILE", "without a file of tokens: where the one goes that is made at the start"},
	{0, "history", "FILE", "the file of the history (history in [serve]); none: keep nothing"},
	{'u', "user", "NAME", "become this system user after the start as root"},
	{'q', "quiet", NULL, "log to logfile or syslog alone, not to standard error"},
	{'v', "verbose", NULL, "log more (repeatable)"},
	{0, "check-config", NULL, "list all problems of the configuration, and exit"},
	{0, "show-config", NULL,
	 "print each setting of [serve] with its value, default and meaning, and exit"},
	{0, "new-token", "NAME", "make a token, print it once, add its hash to --tokens, and exit"},
	{0, "role", "ROLE", "of --new-token: viewer (default), operator or admin"},
	{0, "days", "N", "of --new-token: it expires after so many days; without it, never"},
	{0, NULL, NULL, NULL},
};

#define DAYS_MAX 36500

static int new_token(const struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	const char *file = pgm_cli_value(cli, "tokens"), *name = pgm_cli_value(cli, "new-token");
	const char *role_name = pgm_cli_value(cli, "role");
	enum pgm_role role = PGM_ROLE_VIEWER;
	char token[PGM_TOKEN_SIZE];
	int64_t days = 0;
	bool right = pgm_cli_int(cli, "days", 1, DAYS_MAX, &days, &err);
	if (right && !file) {
		right = pgm_error_set(&err, PGM_ERR_USAGE, "--new-token needs --tokens FILE");
	} else if (right && role_name && !pgm_role_parse(role_name, &role)) {
		right = pgm_error_set(&err, PGM_ERR_USAGE, "\"%s\" is no role", role_name);
		pgm_error_hint(&err, "It is one of: viewer, operator, admin.");
	}
	if (!right || !pgm_tokens_add(file, name, role, days, token, &err))
		return pgm_cli_fail(cli, &err);
	puts(token);
	explicit_bzero(token, sizeof(token));
	fprintf(stderr, "This is shown once. A running pgmend serve takes it after SIGHUP.\n");
	return PGM_EXIT_OK;
}

/* "/var/lib/pgmend" of systemd, or the user's own; made where it is not there. */
static const char *state_folder(const struct pgm_cli *cli)
{
	const char *given = getenv("STATE_DIRECTORY"), *state = getenv("XDG_STATE_HOME"),
		   *home = getenv("HOME");
	if (given && *given)
		return given;
	if (!home || !*home)
		return NULL;
	const char *local = pgm_sprintf(cli->arena, "%s/.local", home);
	if (!state || *state != '/') {
		mkdir(local, 0700);
		state = pgm_sprintf(cli->arena, "%s/state", local);
	}
	const char *folder = pgm_sprintf(cli->arena, "%s/pgmend", state);
	mkdir(state, 0700);
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		return NULL;
	return folder;
}

/* For one database without a file: a name that another database does not have. */
static const char *default_history(const struct pgm_cli *cli, const char *conninfo)
{
	struct pgm_error err = {0};
	struct pgm_conninfo info;
	const char *folder = state_folder(cli);
	if (!folder || !pgm_conninfo_resolve(conninfo, cli->arena, &info, &err) || !info.dbname)
		return NULL;
	const char *where = pgm_sprintf(cli->arena, "%s|%s|%s", info.host ? info.host : "",
					info.port ? info.port : "", info.dbname);
	char *name = pgm_strdup(cli->arena, info.dbname);
	for (char *at = name; *at; at++)
		if (*at == '/' || (unsigned char)*at <= ' ')
			*at = '_';
	return pgm_sprintf(cli->arena, "%s/%.40s-%08x.db", folder, name,
			   (unsigned)(pgm_hash_string(where) & 0xffffffff));
}

/* What the command line says, over the file. */
static const struct pgm_serve_override *overrides_of(const struct pgm_cli *cli, const char *conninfo)
{
	static const char *const names[] = {"listen", "port", "tokens", "history"};
	struct pgm_serve_override *all = PGM_NEW_ARRAY(cli->arena, struct pgm_serve_override, 6);
	size_t count = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = pgm_cli_value(cli, names[i]);
		bool history = strcmp(names[i], "history") == 0;
		if (history && value && strcmp(value, "none") == 0)
			value = "";
		else if (history && !value && conninfo)
			value = default_history(cli, conninfo);
		if (value)
			all[count++] = (struct pgm_serve_override){names[i], value};
	}
	return all;
}

static void show_config(const struct pgm_cli *cli, const struct pgm_serve_config *config)
{
	puts("[serve]");
	for (size_t i = 0; i < pgm_serve_setting_count; i++) {
		const struct pgm_setting *setting = &pgm_serve_settings[i];
		const char *value = pgm_setting_show_of(setting, config, cli->arena);
		printf("; %s (default: %s)\n%s%s = %s\n", setting->help,
		       setting->standard && *setting->standard ? setting->standard : "none", value ? "" : ";",
		       setting->name, value ? pgm_safe_text(cli->arena, value, false) : "");
	}
}

/* The link is a secret: for eyes at a terminal, never for a log. */
static void ready(void *data, const char *url, const char *token)
{
	const bool *terminal = data;
	if (!*terminal)
		return;
	if (token)
		fprintf(stderr, "\nOpen %s#token=%s\n\n", url, token);
	else
		fprintf(stderr, "\nOpen %s and give a token of the file.\n\n", url);
}

static const char *user_of(const struct pgm_cli *cli, const struct pgm_serve_config *config)
{
	const char *user = pgm_cli_value(cli, "user");
	return user || !config->pool ? user : config->pool->user;
}

/* What is opened from here on is that user's, and so is the home folder with .pgpass in it. */
static bool become_user(const char *user, struct pgm_error *err)
{
	if (geteuid() != 0)
		return true;
	const struct passwd *entry = user ? getpwnam(user) : NULL;
	if (user && !entry)
		return pgm_error_set(err, PGM_ERR_USAGE, "there is no system user \"%s\"", user);
	if (!pgm_daemon_drop_rights(user, "pgmend serve", err))
		return false;
	setenv("HOME", entry->pw_dir, 1);
	setenv("USER", entry->pw_name, 1);
	return true;
}

static bool open_log(const struct pgm_cli *cli, const struct pgm_serve_config *config, struct pgm_error *err)
{
	const char **given;
	size_t verbose = pgm_cli_values(cli, "verbose", &given);
	struct pgm_pool_config *defaults = config->pool ? NULL : pgm_pool_config_defaults();
	struct pgm_pool_config *settings = config->pool ? config->pool : defaults;
	if (verbose)
		settings->verbose = verbose > 3 ? 3 : (int64_t)verbose;
	bool opened = pgm_log_open(settings, pgm_cli_flag(cli, "quiet"), err);
	pgm_pool_config_free(defaults);
	return opened;
}

static int serve(struct pgm_cli *cli, struct pgm_serve_config *config,
		 const struct pgm_serve_override *overrides)
{
	struct pgm_error err = {0};
	bool terminal = isatty(STDERR_FILENO);
	const char *token_file = pgm_cli_value(cli, "token-file");
	if (!open_log(cli, config, &err)) {
		pgm_serve_config_free(config);
		return pgm_cli_fail(cli, &err);
	}
	if (!token_file && !terminal && config->history)
		token_file = pgm_sprintf(cli->arena, "%s.token", config->history);
	if (!token_file && !terminal && !config->tokens)
		pgm_log(PGM_LOG_WARNING,
			"there is no file of tokens and no terminal to show one on: nobody can "
			"log in; set tokens, or give --token-file");
	struct pgm_serve_options run = {
		.overrides = overrides, .token_file = token_file, .ready = ready, .data = &terminal};
	int code = pgm_serve_main(config, &run, &err);
	if (code >= 0)
		return code ? PGM_EXIT_FOUND : PGM_EXIT_OK;
	pgm_log(PGM_LOG_ERROR, "%s", err.message);
	return pgm_cli_fail(cli, &err);
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct pgm_config_problems problems;
	const char *source = cli->operand_count ? cli->operands[0] : NULL;
	if (pgm_cli_value(cli, "new-token"))
		return new_token(cli);
	if (!source && !pgm_cli_flag(cli, "show-config")) {
		pgm_error_set(&err, PGM_ERR_USAGE, "CONFIG.ini or CONNINFO is missing");
		pgm_error_hint(&err, "See \"pgmend serve --help\".");
		return pgm_cli_fail(cli, &err);
	}
	bool looks = pgm_cli_flag(cli, "check-config") || pgm_cli_flag(cli, "show-config");
	bool is_conninfo = source && pgm_daemon_is_conninfo(source);
	/* the home folder of who will run it decides where the history is */
	if (is_conninfo && !looks && !become_user(pgm_cli_value(cli, "user"), &err))
		return pgm_cli_fail(cli, &err);
	const struct pgm_serve_override *overrides = overrides_of(cli, is_conninfo && !looks ? source : NULL);
	pgm_config_problems_init(&problems);
	struct pgm_serve_config *config =
		!source	      ? pgm_serve_config_defaults()
		: is_conninfo ? pgm_serve_config_for(source, overrides, &problems)
			      : pgm_serve_config_read(source, overrides, &pgm_serve_checks, &problems);
	pgm_daemon_print_problems(cli, &problems);
	pgm_config_problems_done(&problems);
	if (!config)
		return PGM_EXIT_USAGE;
	if (pgm_cli_flag(cli, "show-config")) {
		show_config(cli, config);
	} else if (pgm_cli_flag(cli, "check-config")) {
		printf("%s: right (%zu databases to watch, %zu lines in [alerts], %zu in [chores]%s)\n",
		       config->path ? config->path : "the connection string", config->target_count,
		       config->alert_count, config->chore_count, config->has_pool ? ", a pooler" : "");
	} else if (!become_user(user_of(cli, config), &err)) {
		pgm_serve_config_free(config);
		return pgm_cli_fail(cli, &err);
	} else {
		return serve(cli, config, overrides);
	}
	pgm_serve_config_free(config);
	return PGM_EXIT_OK;
}

const struct pgm_cmd pgm_cmd_serve = {
	.name = "serve",
	.summary = "watch databases, with a dashboard, an API, metrics, alerts and chores",
	.operands = "CONFIG.ini|CONNINFO",
	.operands_max = 1,
	.description =
		"One process that watches any number of databases, keeps a history, answers HTTP (a "
		"dashboard at /, "
		"an API below /api/v1, /metrics for Prometheus), alerts, does chores, and pools connections "
		"as "
		"\"pgmend pool\" does. CONFIG.ini is the pooler's file with the sections [serve], [watch], "
		"[alerts] and [chores]; each part runs only where it is configured, the pooler where "
		"[pgbouncer] is there. CONNINFO is one database to watch, with no file.\n\n"
		"It listens on 127.0.0.1:8432. Another address needs TLS and a file of tokens. Without such "
		"a "
		"file, one token is made at each start and shown as a link on the terminal.\n\n"
		"SIGHUP reads the file, tokens and certificates again; SIGTERM ends it, with a pooler when "
		"its "
		"clients have left, and a second one at once. Exit code 2: the configuration, the port or "
		"the "
		"certificate is of no use; 1: an alert of exit_on fired.",
	.options = options,
	.run = run,
};
