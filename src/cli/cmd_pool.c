#include "cli/commands.h"
#include "cli/daemon.h"
#include "util/safe_text.h"

#include "pool/config/config.h"
#include "pool/config/settings.h"
#include "pool/pool.h"
#include "util/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct pgm_option options[] = {
	{'d', "daemon", NULL, "run in the background; needs pidfile, and logfile or syslog"},
	{'q', "quiet", NULL, "log to logfile or syslog alone, not to standard error"},
	{'v', "verbose", NULL, "log more (repeatable, as verbose = 1, 2, 3)"},
	{'u', "user", "NAME", "become this system user after the start as root"},
	{0, "set", "KEY=VALUE", "with CONNINFO: a setting of pgbouncer.ini (repeatable)"},
	{'R', "reboot", NULL, "PgBouncer's online restart; refused, see docs/pool.md"},
	{0, "check-config", NULL, "list all problems of the configuration, and exit"},
	{0, "show-config", NULL, "print each setting with its value, default and meaning, and exit"},
	{0, NULL, NULL, NULL},
};

/* -v and -u override the file, as PgBouncer's do. */
static bool apply_options(const struct pgm_cli *cli, struct pgm_pool_config *config, struct pgm_error *err)
{
	const char **given;
	size_t verbose = pgm_cli_values(cli, "verbose", &given);
	const char *user = pgm_cli_value(cli, "user");
	if (verbose)
		config->verbose = verbose > 3 ? 3 : (int64_t)verbose;
	if (user)
		config->user = pgm_strdup(config->arena, user);
	if (config->user && !getpwnam(config->user))
		return pgm_error_set(err, PGM_ERR_USAGE, "there is no system user \"%s\"", config->user);
	if (pgm_cli_flag(cli, "daemon") && !config->pidfile) {
		pgm_error_set(err, PGM_ERR_USAGE, "-d needs pidfile");
		return pgm_error_hint(err, "Set pidfile in the configuration.");
	}
	if (pgm_cli_flag(cli, "daemon") && !config->logfile && !config->syslog) {
		pgm_error_set(err, PGM_ERR_USAGE, "-d needs logfile or syslog: nobody would see the log");
		return pgm_error_hint(err, "Set logfile in the configuration, or syslog = 1.");
	}
	return true;
}

static bool check_arguments(const struct pgm_cli *cli, struct pgm_error *err)
{
	if (pgm_cli_flag(cli, "reboot")) {
		pgm_error_set(err, PGM_ERR_USAGE,
			      "-R is not supported: connections are not handed to a new process");
		return pgm_error_hint(err,
				      "Set so_reuseport = 1, start the new process beside the old one, and "
				      "end the old one with SHUTDOWN WAIT_FOR_CLIENTS.");
	}
	if (pgm_cli_flag(cli, "set") && (!cli->operand_count || !pgm_daemon_is_conninfo(cli->operands[0]))) {
		pgm_error_set(err, PGM_ERR_USAGE, "--set goes with CONNINFO");
		return pgm_error_hint(err, "Set it in the configuration.");
	}
	if (cli->operand_count == 0 && !pgm_cli_flag(cli, "show-config")) {
		pgm_error_set(err, PGM_ERR_USAGE, "CONFIG.ini or CONNINFO is missing");
		return pgm_error_hint(err, "See \"pgmend pool --help\".");
	}
	return true;
}

/* With no file: the defaults. */
static struct pgm_pool_config *read_config(const struct pgm_cli *cli, struct pgm_config_problems *problems)
{
	const char *source = cli->operand_count ? cli->operands[0] : NULL, **given;
	size_t count = pgm_cli_values(cli, "set", &given);
	if (!source)
		return pgm_pool_config_defaults();
	return pgm_daemon_is_conninfo(source) ? pgm_pool_config_for(source, count, given, problems)
					      : pgm_pool_config_read(source, problems);
}

static void print_setting(void *data, const char *key, const char *value, const char *standard,
			  bool changeable)
{
	const struct pgm_cli *cli = data;
	const struct pgm_setting *setting = pgm_setting_find(key);
	struct pgm_buf notes;
	pgm_buf_init(&notes, cli->arena);
	if (setting->flags & PGM_SETTING_OURS)
		pgm_buf_add(&notes, "; not in PgBouncer");
	if (setting->flags & PGM_SETTING_INERT)
		pgm_buf_add(&notes, "; no effect here");
	if (!changeable)
		pgm_buf_add(&notes, "; needs a restart");
	printf("; %s (default: %s%s)\n%s%s = %s\n", setting->help, standard && *standard ? standard : "none",
	       notes.text, value ? "" : ";", key, value ? pgm_safe_text(cli->arena, value, false) : "");
}

/* Another pooler's is left alone. */
static bool pidfile_is_free(const struct pgm_pool_config *config, struct pgm_error *err)
{
	long pid = 0;
	FILE *file = config->pidfile && *config->pidfile ? fopen(config->pidfile, "r") : NULL;
	if (!file)
		return true;
	if (fscanf(file, "%ld", &pid) != 1)
		pid = 0;
	fclose(file);
	if (pid <= 0 || pid == getpid() || (kill((pid_t)pid, 0) < 0 && errno == ESRCH))
		return true;
	return pgm_error_set(err, PGM_ERR_USAGE, "%s says that process %ld is running already",
			     config->pidfile, pid);
}

/* The parent waits until the child listens, so that its exit code tells whether the pooler runs. */
static int daemonize(int *ready_fd, bool *is_parent)
{
	int ends[2];
	char byte;
	*is_parent = false;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return PGM_EXIT_FAILED;
	pid_t child = fork();
	if (child < 0)
		return PGM_EXIT_FAILED;
	if (child > 0) {
		int status;
		*is_parent = true;
		close(ends[1]);
		if (read(ends[0], &byte, 1) == 1)
			return PGM_EXIT_OK;
		return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status)
										: PGM_EXIT_FAILED;
	}
	close(ends[0]);
	setsid();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	*ready_fd = ends[1];
	return PGM_EXIT_OK;
}

static int serve(struct pgm_cli *cli, struct pgm_pool_config *config)
{
	struct pgm_error err = {0};
	int ready_fd = -1;
	bool daemon = pgm_cli_flag(cli, "daemon"), is_parent;
	if (!pgm_daemon_drop_rights(config->user, "the pooler", &err) || !pidfile_is_free(config, &err) ||
	    !pgm_log_open(config, pgm_cli_flag(cli, "quiet") || daemon, &err)) {
		pgm_pool_config_free(config);
		return pgm_cli_fail(cli, &err);
	}
	if (daemon) {
		int code = daemonize(&ready_fd, &is_parent);
		if (is_parent || code) {
			pgm_pool_config_free(config);
			return code;
		}
	}
	if (!pgm_pool_main(config, ready_fd, &err))
		return PGM_EXIT_OK;
	pgm_log(PGM_LOG_ERROR, "%s", err.message);
	return pgm_cli_fail(cli, &err);
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct pgm_config_problems problems;
	if (!check_arguments(cli, &err))
		return pgm_cli_fail(cli, &err);
	pgm_config_problems_init(&problems);
	struct pgm_pool_config *config = read_config(cli, &problems);
	int code = PGM_EXIT_OK;
	pgm_daemon_print_problems(cli, &problems);
	if (!config) {
		code = PGM_EXIT_USAGE;
	} else if (!apply_options(cli, config, &err)) {
		code = pgm_cli_fail(cli, &err);
	} else if (pgm_cli_flag(cli, "show-config")) {
		puts("[pgbouncer]");
		pgm_pool_config_each(config, cli->arena, print_setting, cli);
	} else if (pgm_cli_flag(cli, "check-config")) {
		printf("%s: right (%zu databases, %zu users in [users], %zu with a secret)\n",
		       config->path ? config->path : "the connection string", config->database_count,
		       config->user_count, config->secret_count);
	} else {
		pgm_config_problems_done(&problems);
		return serve(cli, config);
	}
	pgm_pool_config_free(config);
	pgm_config_problems_done(&problems);
	return code;
}

const struct pgm_cmd pgm_cmd_pool = {
	.name = "pool",
	.summary = "pool connections, configured as PgBouncer is",
	.operands = "CONFIG.ini|CONNINFO",
	.operands_max = 1,
	.description = "CONFIG.ini is a pgbouncer.ini, as PgBouncer 1.25 reads it, with settings of our own. "
		       "CONNINFO is a "
		       "database name, a key=value string or a URI: then that one database is pooled, in "
		       "transaction mode, "
		       "on 127.0.0.1:6432 or as --set listen_port=..., and clients log in with its user and "
		       "password. A word is a file "
		       "where it names "
		       "one or has a dot or a slash in it, and neither = nor :// .\n\n"
		       "--check-config lists all problems at once as FILE:LINE:COLUMN: what is wrong; exit "
		       "code 2 says that "
		       "there are errors, 0 that there is none but warnings.",
	.options = options,
	.run = run,
};
