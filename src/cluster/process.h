/*
 * Child processes, and the account that a server's programs run under: PostgreSQL refuses to run as root.
 * One thread only.
 */
#ifndef PGM_CLUSTER_PROCESS_H
#define PGM_CLUSTER_PROCESS_H

#include "util/arena.h"
#include "util/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct pgm_account {
	bool differs; /* from ours: children have to switch to it */
	uid_t uid;
	gid_t gid;
	char name[64];
};

/* Ours, or where that is root, user postgres, else nobody. */
bool pgm_account_find(struct pgm_account *account, struct pgm_error *err) PGM_MUST_CHECK;

/* Whether the account may use the folder's entries. */
bool pgm_account_can_enter(const struct pgm_account *account, const char *folder);

struct pgm_process {
	const char *const *argv;	   /* argv[0] is the program's path; NULL ends it */
	const char *cwd;		   /* NULL: ours */
	const struct pgm_account *account; /* NULL: ours */
	bool server;	      /* one of PostgreSQL's: without PG* and locales in its environment, umask 077 */
	bool own_session;     /* the terminal's Ctrl-C does not reach it */
	int death_signal;     /* that it gets when we die; 0: none */
	int out_fd;	      /* its standard output and error, with standard input empty; 0: it keeps ours */
	const char *out_path; /* or a file that they are appended to, opened under its account */
};

/* Start it; the caller waits for its end. -1 where it cannot even be started, with the reason in err. */
pid_t pgm_process_start(const struct pgm_process *process, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Wait for the end of a child. When Ctrl-C comes, it gets a SIGTERM, and is waited for all the same. The
 * result is waitpid()'s status.
 */
int pgm_process_wait(pid_t pid);

/*
 * Run it to its end with its output (its last part, where it is long) in the arena. False where it could not
 * be started or did not end with 0: its output is then in the message.
 */
bool pgm_process_run(struct pgm_arena *arena, struct pgm_process *process, char **output,
		     struct pgm_error *err) PGM_MUST_CHECK;

#endif
