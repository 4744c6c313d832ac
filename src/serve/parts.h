/*
 * The process between serve.c, which runs it, and parts.c, which knows the parts. Nobody else includes this.
 */
#ifndef PGM_SERVE_PARTS_H
#define PGM_SERVE_PARTS_H

#include "serve/api/api.h"
#include "serve/serve.h"

#include <stdatomic.h>

struct pgm_findings;
struct pgm_pooler_guest;

struct pgm_serve {
	struct pgm_serve_config *config; /* of the start */
	struct pgm_serve_config
		*latest; /* of the last reload: [watch], [alerts] and [chores] are its; NULL: config */
	const struct pgm_serve_options *options;
	struct pgm_api api;
	struct pgm_tokens *tokens;
	char token[PGM_TOKEN_SIZE]; /* made at the start; "": none */
	struct pgm_http *http;
	struct pgm_pooler_guest *pooler;
	struct pgm_findings *findings; /* findings.c; NULL: off */
	int wake;		       /* an eventfd: something happened on another thread */
	_Atomic bool pooler_ended;     /* it was told to, and has */
	_Atomic bool alerted;	       /* an alert asks for the end */
	size_t started;		       /* of the parts */
};

bool pgm_serve_start_parts(struct pgm_serve *serve, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_serve_stop_parts(struct pgm_serve *serve);

/* SIGHUP: the file again, tokens and certificates. What is wrong is logged, and the old stays. */
void pgm_serve_reload(struct pgm_serve *serve);

void pgm_serve_wake(struct pgm_serve *serve); /* any thread */

#endif
