/*
 * What a load came to, as text and as JSON.
 */
#ifndef PGM_CLI_COPY_IN_PRINT_H
#define PGM_CLI_COPY_IN_PRINT_H

#include "cli/cmd.h"
#include "copyin/copyin.h"

/* To stdout; after a failure (err not NULL) to stderr, with how to go on. */
void pgm_copy_in_print(const struct pgm_cli *cli, const struct pgm_copyin_options *options,
		       const struct pgm_copyin_result *result, const struct pgm_error *err);

/* To stdout, in either case. */
void pgm_copy_in_print_json(const struct pgm_copyin_options *options, const struct pgm_copyin_result *result,
			    const struct pgm_error *err);

#endif
