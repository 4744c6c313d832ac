#include "cluster/guard.h"

#include "cluster/folder.h"
#include "cluster/process.h"
#include "util/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS	   20000 /* for each of: the asked way, immediately, by force */
#define REMOVE_PATIENCE_MS 20000 /* an initdb that dies with us may still be writing */

#define DISMISSED (-1) /* in place of a postmaster's id */

static bool gone(pid_t postmaster, bool ours)
{
	if (ours)
		return waitpid(postmaster, NULL, WNOHANG) != 0;
	if (kill(postmaster, 0) != 0 && errno == ESRCH)
		return true;
	/* In a container the first process may never fetch what became of it: a zombie has no program. */
	char path[64], program[1];
	snprintf(path, sizeof(path), "/proc/%ld/exe", (long)postmaster);
	return readlink(path, program, sizeof(program)) < 0 && errno == ENOENT;
}

void pgm_guard_end_server(pid_t postmaster, int signal_number, bool ours)
{
	const int steps[] = {signal_number, SIGQUIT, SIGKILL};
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		kill(postmaster, steps[i]);
		double deadline = pgm_clock_ms() + PATIENCE_MS;
		while (pgm_clock_ms() < deadline) {
			if (gone(postmaster, ours))
				return;
			pgm_clock_sleep_ms(10);
		}
	}
}

static void watch(int fd, const char *folder)
{
	pid_t postmaster = 0, word;
	for (;;) {
		ssize_t got = read(fd, &word, sizeof(word));
		if (got < 0 && errno == EINTR)
			continue;
		if (got != sizeof(word))
			break;
		if (word == DISMISSED)
			_exit(0);
		postmaster = word;
	}
	if (postmaster > 0)
		pgm_guard_end_server(postmaster, SIGQUIT, false);
	double deadline = pgm_clock_ms() + REMOVE_PATIENCE_MS;
	while (!pgm_folder_remove(folder) && pgm_clock_ms() < deadline)
		pgm_clock_sleep_ms(50);
	_exit(0);
}

/* The guard keeps nothing open of what we have: whoever reads our output must see its end. */
static void become_guard(int fd, const char *folder)
{
	setsid();
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "pgmend-guard");
	int null = open("/dev/null", O_RDWR);
	dup2(fd, 3);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	close_range(4, ~0U, 0);
	if (chdir("/") != 0)
		_exit(1);
	watch(3, folder);
}

bool pgm_guard_start(struct pgm_guard *guard, const char *folder, struct pgm_error *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "making a pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0)
		become_guard(ends[0], folder);
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return pgm_error_set(err, PGM_ERR_SYSTEM, "starting a process: %s", strerror(errno));
	}
	*guard = (struct pgm_guard){.pid = pid, .fd = ends[1]};
	return true;
}

static void tell(const struct pgm_guard *guard, pid_t word)
{
	/* A guard that somebody killed cannot be told anything; the work goes on without it. */
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	sigaction(SIGPIPE, &ignore, &before);
	ssize_t written = write(guard->fd, &word, sizeof(word));
	(void)written;
	sigaction(SIGPIPE, &before, NULL);
}

void pgm_guard_server(const struct pgm_guard *guard, pid_t postmaster)
{
	tell(guard, postmaster);
}

void pgm_guard_dismiss(struct pgm_guard *guard)
{
	if (!guard->pid)
		return;
	tell(guard, DISMISSED);
	close(guard->fd);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*guard = (struct pgm_guard){0};
}
