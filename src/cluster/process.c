#include "cluster/process.h"

#include "util/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_KEPT_BYTES 800 /* of a program that failed: has to fit into an error's message */

extern char **environ;

bool pgm_account_find(struct pgm_account *account, struct pgm_error *err)
{
	static const char *const names[] = {"postgres", "nobody"};
	*account = (struct pgm_account){.uid = geteuid(), .gid = getegid()};
	if (account->uid != 0) {
		const struct passwd *own = getpwuid(account->uid);
		snprintf(account->name, sizeof(account->name), "%s", own ? own->pw_name : "");
		return true;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct passwd *found = getpwnam(names[i]);
		if (!found || found->pw_uid == 0)
			continue;
		account->differs = true;
		account->uid = found->pw_uid;
		account->gid = found->pw_gid;
		snprintf(account->name, sizeof(account->name), "%s", names[i]);
		return true;
	}
	pgm_error_set(err, PGM_ERR_RIGHTS, "PostgreSQL does not run as root, and there is no user postgres");
	return pgm_error_hint(err, "Run this as an ordinary user.");
}

static bool switch_account(const struct pgm_account *account)
{
	if (!account || !account->differs)
		return true;
	return initgroups(account->name, account->gid) == 0 && setgid(account->gid) == 0 &&
	       setuid(account->uid) == 0;
}

bool pgm_account_can_enter(const struct pgm_account *account, const char *folder)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(switch_account(account) && access(folder, X_OK) == 0 ? 0 : 1);
	return pid > 0 && pgm_process_wait(pid) == 0;
}

/* What steers libpq would send initdb's or the server's own connections elsewhere. */
static void clean_environment(void)
{
	for (char **entry = environ; *entry;) {
		char name[128];
		size_t length = strcspn(*entry, "=");
		bool drop = strncmp(*entry, "PG", 2) == 0 || strncmp(*entry, "LC_", 3) == 0 ||
			    strncmp(*entry, "LANG", 4) == 0;
		if (!drop || length >= sizeof(name)) {
			entry++;
			continue;
		}
		memcpy(name, *entry, length);
		name[length] = '\0';
		unsetenv(name); /* moves the following ones up */
	}
	setenv("LC_ALL", "C", 1);
}

static bool redirect(const struct pgm_process *process)
{
	int out = process->out_fd;
	if (process->out_path)
		out = open(process->out_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	else if (out == 0)
		return true;
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return out >= 0 && in >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
	       dup2(out, STDERR_FILENO) >= 0;
}

/* In the child: never returns. What failed goes through the pipe, which exec closes. */
static void become(const struct pgm_process *process, pid_t parent, int errors)
{
	if (process->own_session)
		setsid();
	if (process->server) {
		umask(077);
		clean_environment();
	}
	bool ok = switch_account(process->account);
	/* After the switch, which clears it; and the parent may be gone already. */
	if (ok && process->death_signal) {
		prctl(PR_SET_PDEATHSIG, process->death_signal);
		if (getppid() != parent)
			_exit(1);
	}
	ok = ok && redirect(process) && (!process->cwd || chdir(process->cwd) == 0);
	if (ok)
		execv(process->argv[0], (char *const *)process->argv);
	int number = errno;
	ssize_t ignored = write(errors, &number, sizeof(number));
	(void)ignored;
	_exit(127);
}

pid_t pgm_process_start(const struct pgm_process *process, struct pgm_error *err)
{
	int errors[2];
	if (pipe2(errors, O_CLOEXEC) != 0) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "making a pipe: %s", strerror(errno));
		return -1;
	}
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0)
		become(process, parent, errors[1]);
	int number = errno;
	close(errors[1]);
	bool failed = pid < 0;
	if (!failed) {
		ssize_t got;
		do
			got = read(errors[0], &number, sizeof(number));
		while (got < 0 && errno == EINTR);
		failed = got == sizeof(number);
		if (failed)
			pgm_process_wait(pid);
	}
	close(errors[0]);
	if (failed) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "starting %s: %s", process->argv[0], strerror(number));
		return -1;
	}
	return pid;
}

int pgm_process_wait(pid_t pid)
{
	int status = 0;
	bool told = false;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
		if (pgm_interrupted() && !told) {
			kill(pid, SIGTERM);
			told = true;
		}
	}
	return status;
}

/* Read to the end; only the last OUTPUT_KEPT_BYTES stay. */
static char *read_all(struct pgm_arena *arena, int fd, pid_t pid)
{
	char buffer[2 * OUTPUT_KEPT_BYTES + 1];
	size_t length = 0;
	for (;;) {
		if (length > OUTPUT_KEPT_BYTES) {
			memmove(buffer, buffer + length - OUTPUT_KEPT_BYTES, OUTPUT_KEPT_BYTES);
			length = OUTPUT_KEPT_BYTES;
		}
		ssize_t got = read(fd, buffer + length, sizeof(buffer) - 1 - length);
		if (got > 0)
			length += (size_t)got;
		else if (got < 0 && errno == EINTR)
			kill(pid, SIGTERM);
		else
			break;
	}
	while (length && buffer[length - 1] == '\n')
		length--;
	return pgm_strndup(arena, buffer, length);
}

bool pgm_process_run(struct pgm_arena *arena, struct pgm_process *process, char **output,
		     struct pgm_error *err)
{
	int out[2];
	if (pipe2(out, O_CLOEXEC) != 0)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "making a pipe: %s", strerror(errno));
	process->out_fd = out[1];
	pid_t pid = pgm_process_start(process, err);
	close(out[1]);
	if (pid < 0) {
		close(out[0]);
		return false;
	}
	*output = read_all(arena, out[0], pid);
	close(out[0]);
	int status = pgm_process_wait(pid);
	if (pgm_interrupted())
		return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	if (status == 0)
		return true;
	return pgm_error_set(err, PGM_ERR_SYSTEM, "%s failed: %s", process->argv[0], *output);
}
