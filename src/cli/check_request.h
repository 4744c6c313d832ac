/*
 * What a run of "pgmend check" was asked for: by --config FILE first, then by the other options. Used by
 * cmd_check.c; everything lives in the command's arena.
 */
#ifndef PGM_CLI_CHECK_REQUEST_H
#define PGM_CLI_CHECK_REQUEST_H

#include "check/check.h"
#include "cli/cmd.h"
#include "cli/emit_run.h"
#include "util/vec.h"

struct pgm_check_request {
	struct pgm_check_options options;
	enum pgm_format format;
	bool may_fail;
	enum pgm_severity fail_on;
	struct pgm_emit_options emit; /* of the Plan of mends */
};

/* Fails with PGM_ERR_USAGE, or with PGM_ERR_INPUT "file:line: ..." for what a file says. */
bool pgm_check_request_read(const struct pgm_cli *cli, const struct pgm_check *checks, size_t count,
			    struct pgm_check_request *request, struct pgm_error *err) PGM_MUST_CHECK;

#endif
