#include "cli/daemon.h"

#include "util/safe_text.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

bool pgm_daemon_is_conninfo(const char *word)
{
	if (strstr(word, "://"))
		return true;
	if (access(word, F_OK) == 0)
		return false;
	return strchr(word, '=') || !strpbrk(word, "./");
}

void pgm_daemon_print_problems(const struct pgm_cli *cli, const struct pgm_config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		const struct pgm_config_problem *problem = &problems->items[i];
		const char *text = pgm_config_problem_text(problems, problem);
		fprintf(stderr, "%s\n", pgm_safe_text(cli->arena, text, false));
		if (problem->hint)
			fprintf(stderr, "hint: %s\n", pgm_safe_text(cli->arena, problem->hint, false));
	}
	if (problems->count == PGM_CONFIG_PROBLEMS_MAX)
		fprintf(stderr, "and more: the first %d are shown\n", PGM_CONFIG_PROBLEMS_MAX);
}

bool pgm_daemon_drop_rights(const char *name, const char *what, struct pgm_error *err)
{
	if (geteuid() != 0)
		return true;
	const struct passwd *user = name ? getpwnam(name) : NULL;
	if (!user || user->pw_uid == 0) {
		pgm_error_set(err, PGM_ERR_USAGE, "%s does not run as root", what);
		return pgm_error_hint(err, "Start it as another user, or give -u NAME or the setting user.");
	}
	if (initgroups(user->pw_name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
	    setuid(user->pw_uid) < 0)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot become user %s: %s", user->pw_name,
				     strerror(errno));
	return true;
}
