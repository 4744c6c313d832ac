/*
 * What is known of one statement beside its counts: its plan, and what the pooler of this process sampled.
 */
#ifndef PGM_SERVE_API_STATEMENTS_H
#define PGM_SERVE_API_STATEMENTS_H

#include "serve/api/api.h"

extern const struct pgm_route pgm_api_statements_routes[];

/*
 * Adds "sampled" to a statement of the path's {db} and {id}: null where the pooler of this process does not
 * profile that database. Values are in it where show_values is on and the role is operator at least. And to
 * n_plus_one, where there is one, how long the longest was.
 */
void pgm_api_add_sampled(struct pgm_request *request, json_t *statement);

/*
 * The workload of the watched database in the form of a pooler's profile (docs/profile.md), for advice on the
 * statement of that id; *fingerprint is what advise is to be told. The caller frees it. NULL after an answer:
 * 404 where the statement is not among those that the watch knows now.
 */
char *pgm_api_workload(struct pgm_request *request, struct pgm_reply *reply, const char *id,
		       const char **fingerprint);
/* How advise is told of a statement, by its id here: in the arena. */
const char *pgm_api_fingerprint(struct pgm_arena *arena, const char *id);

#endif
