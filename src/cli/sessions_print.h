/*
 * What "pgmend sessions" shows, for people and as JSON (schema pgmend.sessions/1).
 */
#ifndef PGM_CLI_SESSIONS_PRINT_H
#define PGM_CLI_SESSIONS_PRINT_H

#include "change/session_log.h"
#include "sessions/act.h"

#include <jansson.h>
#include <stdio.h>

struct pgm_sessions_view {
	struct pgm_arena *arena;
	const struct pgm_sessions *sessions;
	const bool *shown;  /* one for each session: whether it is listed */
	int64_t long_ms;    /* what counts as long */
	const char *server; /* "15.4", for the heading */
	const char *database;
};

void pgm_sessions_print(const struct pgm_sessions_view *view, FILE *stream);

/* Before the act (outcomes are not there yet) and after it. */
void pgm_sessions_print_choices(struct pgm_arena *arena, const struct pgm_session_choice *choices,
				size_t count, bool terminate, FILE *stream);
void pgm_sessions_print_log(struct pgm_arena *arena, const struct pgm_session_log_entry *entries,
			    size_t count, FILE *stream);

/* The caller owns the references. */
json_t *pgm_sessions_json(const struct pgm_sessions_view *view);
json_t *pgm_sessions_choices_json(struct pgm_arena *arena, const struct pgm_session_choice *choices,
				  size_t count, bool terminate, bool acted, const char *unrecorded);
json_t *pgm_sessions_log_json(const struct pgm_session_log_entry *entries, size_t count);

#endif
