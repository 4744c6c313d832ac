/*
 * The last part of the demo: a big table becomes a partitioned one while somebody writes into it, and a
 * parent goes with all its children. Like the parts before it, it runs pgmend's own commands.
 */
#ifndef PGM_CLI_DEMO_BIG_H
#define PGM_CLI_DEMO_BIG_H

#include "demo/apps.h"

struct pgm_demo_stage {
	struct pgm_arena *arena;
	struct pgm_conn *conn; /* stays the caller's */
	pgm_demo_connect *connect;
	void (*heading)(void *arg, const char *title, const char *why);
	/* Run a command as the user would type it; NULL ends the words. */
	bool (*command)(void *arg, const char *const *words, struct pgm_error *err);
	void *arg; /* of all three */
};

/* False where a command failed. *fell_short: something is not as it must be, and was printed. */
bool pgm_demo_big_changes(const struct pgm_demo_stage *stage, bool *fell_short,
			  struct pgm_error *err) PGM_MUST_CHECK;

#endif
