#include "serve/job/child.h"

#include "util/arena.h"
#include "util/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM	    "/proc/self/exe"
#define READ_BYTES  65536
#define READ_ROUNDS 16 /* then it is somebody else's turn */

extern char **environ;

/* What steers serve itself, and what is set below. */
static bool is_kept(const char *entry)
{
	static const char *const out[] = {
		"PGMEND_CONNINFO=", "PGMEND_ACTOR=",  "PGMEND_JOB=",   "NOTIFY_SOCKET=", "LISTEN_FDS=",
		"LISTEN_PID=",	    "WATCHDOG_USEC=", "WATCHDOG_PID=", "LISTEN_FDNAMES="};
	for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++)
		if (strncmp(entry, out[i], strlen(out[i])) == 0)
			return false;
	return true;
}

static char **environment(struct pgm_arena *arena, const struct pgm_child_request *request)
{
	PGM_VEC(char *) entries = {0};
	for (char **entry = environ; entry && *entry; entry++)
		if (is_kept(*entry))
			*pgm_vec_add(arena, &entries) = *entry;
	*pgm_vec_add(arena, &entries) = pgm_sprintf(arena, "PGMEND_CONNINFO=%s", request->conninfo);
	*pgm_vec_add(arena, &entries) = pgm_sprintf(arena, "PGMEND_JOB=%ld", (long)getpid());
	if (request->actor)
		*pgm_vec_add(arena, &entries) = pgm_sprintf(arena, "PGMEND_ACTOR=%s", request->actor);
	*pgm_vec_add(arena, &entries) = NULL;
	return entries.items;
}

static char **arguments(struct pgm_arena *arena, const struct pgm_child_request *request)
{
	PGM_VEC(char *) words = {0};
	*pgm_vec_add(arena, &words) = pgm_strdup(arena, "pgmend");
	for (const char *const *word = request->argv; *word; word++)
		*pgm_vec_add(arena, &words) = pgm_strdup(arena, *word);
	*pgm_vec_add(arena, &words) = NULL;
	return words.items;
}

static bool open_pipes(int out[2], int err[2])
{
	if (pipe2(out, O_CLOEXEC) < 0)
		return false;
	if (pipe2(err, O_CLOEXEC) < 0) {
		close(out[0]);
		close(out[1]);
		return false;
	}
	return true;
}

static int spawn(const struct pgm_child_request *request, int out, int err, pid_t *pid)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGPIPE); /* ignored: a child whose reader is gone still cleans up */
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, err, 2);
	/* Sockets and files of the other threads, however they were opened. */
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0); /* Ctrl-C on serve's terminal is serve's to answer */
	posix_spawnattr_setflags(&attributes,
				 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	int problem = posix_spawn(pid, PROGRAM, &actions, &attributes, arguments(arena, request),
				  environment(arena, request));
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return problem;
}

bool pgm_child_start(struct pgm_child *child, const struct pgm_child_request *request, struct pgm_error *err)
{
	int out[2], error[2];
	*child = (struct pgm_child){.out = -1, .err = -1, .exited = -1};
	if (!open_pipes(out, error))
		return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot make a pipe: %s", strerror(errno));
	int problem = spawn(request, out[1], error[1], &child->pid);
	close(out[1]);
	close(error[1]);
	if (problem) {
		close(out[0]);
		close(error[0]);
		child->pid = 0;
		return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot start %s: %s", PROGRAM, strerror(problem));
	}
	child->out = out[0];
	child->err = error[0];
	fcntl(child->out, F_SETFL, O_NONBLOCK);
	fcntl(child->err, F_SETFL, O_NONBLOCK);
	child->exited = (int)syscall(SYS_pidfd_open, child->pid, 0);
	return true;
}

bool pgm_child_ended(struct pgm_child *child, int *code)
{
	int status;
	if (!child->pid)
		return true;
	pid_t got = waitpid(child->pid, &status, WNOHANG);
	if (got == 0 || (got < 0 && errno == EINTR))
		return false;
	child->pid = 0;
	*code = got < 0 ? 128 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return true;
}

void pgm_child_signal(const struct pgm_child *child, int number)
{
	if (child->pid > 0)
		kill(child->pid, number);
}

int64_t pgm_child_memory(const struct pgm_child *child)
{
	char path[64];
	long long all, resident = 0;
	snprintf(path, sizeof(path), "/proc/%ld/statm", (long)child->pid);
	FILE *file = child->pid > 0 ? fopen(path, "re") : NULL;
	if (!file)
		return 0;
	if (fscanf(file, "%lld %lld", &all, &resident) != 2)
		resident = 0;
	fclose(file);
	return resident * sysconf(_SC_PAGESIZE);
}

void pgm_child_close(struct pgm_child *child)
{
	if (child->out >= 0)
		close(child->out);
	if (child->err >= 0)
		close(child->err);
	if (child->exited >= 0)
		close(child->exited);
	child->out = child->err = child->exited = -1;
}

void pgm_child_text_add(struct pgm_child_text *text, const char *bytes, size_t length)
{
	size_t room = text->limit - text->length;
	if (length > room) {
		text->cut = true;
		length = room;
	}
	if (text->length + length + 1 > text->capacity) {
		size_t wanted = (text->length + length + 1) * 2;
		char *bigger = realloc(text->text, wanted);
		if (!bigger) {
			text->cut = true;
			return;
		}
		text->text = bigger;
		text->capacity = wanted;
	}
	memcpy(text->text + text->length, bytes, length);
	text->length += length;
	text->text[text->length] = '\0';
}

void pgm_child_text_done(struct pgm_child_text *text)
{
	free(text->text);
	text->text = NULL;
	text->length = text->capacity = 0;
}

void pgm_child_read(int *fd, void (*sink)(void *data, const char *bytes, size_t length), void *data)
{
	char bytes[READ_BYTES];
	for (int round = 0; *fd >= 0 && round < READ_ROUNDS; round++) {
		ssize_t got = read(*fd, bytes, sizeof(bytes));
		if (got > 0) {
			sink(data, bytes, (size_t)got);
			continue;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		close(*fd);
		*fd = -1;
	}
}
