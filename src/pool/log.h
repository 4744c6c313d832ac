/*
 * The log: one line a call, to stderr, the log file or syslog; any thread. Never a secret.
 */
#ifndef PGM_POOL_LOG_H
#define PGM_POOL_LOG_H

#include "util/error.h"

struct pgm_pool_config;

enum pgm_log_level { PGM_LOG_ERROR, PGM_LOG_WARNING, PGM_LOG_NOTICE, PGM_LOG_DEBUG };
void pgm_log(enum pgm_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool pgm_log_open(const struct pgm_pool_config *config, bool quiet, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_log_reopen(void);
bool pgm_log_facility(const char *name, int *facility); /* of syslog; false: none has that name */
void pgm_log_verbose(int verbose);
/* A whole line, with its newline. */
void pgm_log_line(enum pgm_log_level level, const char *line, size_t length);

#endif
