/*
 * What apply and rollback share: the options of the engine, and how its events, previews and results are
 * shown.
 */
#ifndef PGM_CLI_CHANGE_OUTPUT_H
#define PGM_CLI_CHANGE_OUTPUT_H

#include "change/engine.h"
#include "cli/cmd.h"

#include <jansson.h>

/* Option rows of every command that runs the engine, for its option table. */
#define PGM_ENGINE_OPTION_ROWS                                                                               \
	{'n', "dry-run", NULL, "show what would run, its locks and who would block it; change nothing"},     \
		{'y', "yes", NULL, "ask nothing"},                                                           \
		{0, "wait", "TIME", "how long to wait for another run of pgmend (default 0)"},               \
		{0, "max-wait", "TIME", "how long a statement may wait for other sessions (default 10min)"}, \
		{0, "timeout", "TIME", "how long the whole run may take (default: no limit)"},               \
		{0, "lock-timeout", "TIME", "longest wait of one try for a lock that blocks others (50ms)"}, \
		{0, "lock-deadline", "TIME", "how long to go on trying (default 2min)"},                     \
		{0, "maintenance-work-mem", "SIZE", "memory for index builds (default: the server's)"},      \
		{0, "progress", "FORMAT", "json: how it goes on, a line of JSON each, on standard error"},   \
	{                                                                                                    \
		0, "format", "FORMAT", "text or json (default text)"                                         \
	}

/* Where the events of a run go. */
struct pgm_change_output {
	const struct pgm_cli *cli;
	bool json;   /* steps are not printed as they go */
	bool events; /* --progress=json */
	char last_wait[400];
	double last_wait_ms;
	double last_event_ms;
};

bool pgm_change_options(const struct pgm_cli *cli, struct pgm_engine_options *options,
			struct pgm_change_output *output, struct pgm_error *err) PGM_MUST_CHECK;

void pgm_change_print_preview(const struct pgm_change_output *output,
			      const struct pgm_engine_preview *preview);

/* The end of a run; err NULL where it went well. The caller owns the reference. */
json_t *pgm_change_result_json(const struct pgm_engine_result *result, const struct pgm_error *err);

/*
 * Print the end of a run: err NULL where it went well. Returns the exit code: a run that began and failed is
 * PGM_EXIT_FAILED whatever stopped it.
 */
int pgm_change_print_result(const struct pgm_change_output *output, const struct pgm_engine_result *result,
			    const struct pgm_error *err, const char *done, const char *nothing);

#endif
