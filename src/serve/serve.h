/*
 * The process of `pgmend serve`: its parts, started in an order in which each finds those that it needs, and
 * stopped in the opposite one. The main thread reads the signals and talks to systemd; everything else runs
 * on threads of the parts.
 */
#ifndef PGM_SERVE_SERVE_H
#define PGM_SERVE_SERVE_H

#include "serve/config/config.h"
#include "serve/http/tokens.h"

struct pgm_serve_options {
	const struct pgm_serve_override *overrides; /* for a reload; or NULL */
	const char
		*token_file; /* where the token goes that is made without a file of tokens; NULL: nowhere */
	/* When it serves. token: what was made at the start, or NULL. */
	void (*ready)(void *data, const char *url, const char *token);
	void *data;
};

/* What the lines of [alerts] and [chores] must satisfy. */
extern const struct pgm_serve_checks pgm_serve_checks;

/*
 * Run until it is told to end: 0, 1 where an alert said so, or -1 and an error where it could not start.
 * Takes config over. Once in a process.
 */
int pgm_serve_main(struct pgm_serve_config *config, const struct pgm_serve_options *options,
		   struct pgm_error *err);

#endif
