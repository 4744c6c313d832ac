/*
 * What a "pgmend load" was asked for: its options, read and put together.
 */
#ifndef PGM_CLI_LOAD_REQUEST_H
#define PGM_CLI_LOAD_REQUEST_H

#include "cli/cmd.h"
#include "load/run.h"
#include "load/source.h"

struct pgm_load_request {
	enum pgm_format format;
	struct pgm_load_options options;
	struct pgm_load_connect targets[PGM_LOAD_TARGETS_MAX];
	/* To look at each target: NULL where it is the target itself, or there is no console. */
	struct pgm_conn_options *servers[PGM_LOAD_TARGETS_MAX];
	struct pgm_conn_options *consoles[PGM_LOAD_TARGETS_MAX];
	bool watch;
	const char *workload; /* NULL: scripts */
	int64_t top;
	const char *out;
	double scale; /* 0: to be looked up */
	struct pgm_scripts scripts;
};

/* All but what needs a connection. Fails with PGM_ERR_USAGE or PGM_ERR_INPUT. */
bool pgm_load_request_read(struct pgm_cli *cli, struct pgm_load_request *request,
			   struct pgm_error *err) PGM_MUST_CHECK;

/* Connect to each target, then what depends on it: the workload's statements, :scale. */
bool pgm_load_request_probe(struct pgm_cli *cli, struct pgm_load_request *request,
			    struct pgm_load_left_out *left_out, struct pgm_error *err) PGM_MUST_CHECK;

#endif
