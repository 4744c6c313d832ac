/*
 * What the handlers of jobs, Plans and looks share.
 */
#ifndef PGM_SERVE_API_BEGIN_H
#define PGM_SERVE_API_BEGIN_H

#include "pg/conn.h"
#include "serve/api/api.h"
#include "serve/job/job.h"

#define PGM_API_DATABASE       "/api/v1/databases/{db}"
#define PGM_API_ASK_MS	       60000 /* how long a short question may take */
#define PGM_API_LEDGER_KEEP_MS 2000  /* what the Ledger said */

/* The name of the {db} of the path where that is watched; NULL where 404 was replied. */
const char *pgm_api_database(struct pgm_request *request, struct pgm_reply *reply);

/* Arguments of a command, one by one: a value never becomes two, nor an option. */
struct pgm_api_words {
	struct pgm_arena *arena;
	const char **items; /* NULL at the end */
	size_t count, capacity;
};
void pgm_api_word(struct pgm_api_words *words, const char *word);
/* "--name=value", where the value is not NULL. */
void pgm_api_option(struct pgm_api_words *words, const char *name, const char *value);
/* What follows are operands. */
void pgm_api_operand(struct pgm_api_words *words, const char *operand);

/*
 * Start a job in the name of who asks, with their Idempotency-Key, and reply: 202 with the job, 409 with the
 * id of the one that is in the way, 422, 429 or 503.
 */
void pgm_api_begin(struct pgm_request *request, struct pgm_reply *reply, struct pgm_job_request *job);
/* The reply to an answer of pgm_job_begin() or pgm_job_resume(). */
void pgm_api_began(struct pgm_request *request, struct pgm_reply *reply, enum pgm_job_answer answer,
		   const char *id, const char *database, const struct pgm_error *err);

/* What pgmend check finds, kept for as long as it holds. */
json_t *pgm_api_check(struct pgm_request *request, const char *database, struct pgm_error *err);
/* The {id} of the path where it can be a Plan's; NULL where 404 was replied. */
const char *pgm_api_plan_id(struct pgm_request *request, struct pgm_reply *reply);

/*
 * A session of the watched database, to be closed by the caller. One that says nothing for longer than a
 * statement of 5 s takes holds up no worker. NULL: err says why.
 */
struct pgm_conn *pgm_api_connect(struct pgm_request *request, const char *database, struct pgm_error *err);

/* Ask a command and reply with what it printed. */
void pgm_api_look(struct pgm_request *request, struct pgm_reply *reply, const char *const *argv,
		  int64_t keep_ms);
/* The reply to the answer of a question: data is taken over; NULL: err says why. */
void pgm_api_looked(struct pgm_reply *reply, json_t *data, const struct pgm_error *err);
/* The reply to a question that failed: an argument of the user that the command refused is 422. */
void pgm_api_refused(struct pgm_reply *reply, const struct pgm_error *err);

/* 403 where who asks has a lesser role than this. */
bool pgm_api_allowed(struct pgm_request *request, struct pgm_reply *reply, enum pgm_role role);

extern const struct pgm_route pgm_api_jobs_routes[];
extern const struct pgm_route pgm_api_plans_routes[];
extern const struct pgm_route pgm_api_looks_routes[];
extern const struct pgm_route pgm_api_sessions_routes[];
extern const struct pgm_route pgm_api_tables_routes[];
extern const struct pgm_route pgm_api_performance_routes[];
extern const struct pgm_route pgm_api_chores_routes[];

#endif
