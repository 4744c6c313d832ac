/*
 * Chores: what keeps databases in order, by a timetable. None runs unless the configuration says so, never
 * two at once, and each as a job of job.h, so through the change engine with its limits, and in the audit
 * list.
 *
 * One thread of its own. A time that was missed while serve was away is made up for once, at the start.
 */
#ifndef PGM_SERVE_CHORE_CHORE_H
#define PGM_SERVE_CHORE_CHORE_H

#include "util/arena.h"
#include "util/error.h"

#include <jansson.h>
#include <stdint.h>

struct pgm_chores;
struct pgm_jobs;
struct pgm_history;
struct pgm_serve_config;

/* A line of [chores]: false with a message and a hint. */
bool pgm_chore_check(const char *key, const char *value, struct pgm_error *err) PGM_MUST_CHECK;

/* jobs and history (NULL: none) must outlive it. Also where no chore is configured: a reload may bring some.
 */
struct pgm_chores *pgm_chores_start(const struct pgm_serve_config *config, struct pgm_jobs *jobs,
				    struct pgm_history *history, struct pgm_error *err);
/* Other lines of [chores]; they count when the chore that runs just now has ended. False: the old ones stay.
 */
bool pgm_chores_reload(struct pgm_chores *chores, const struct pgm_serve_config *config,
		       struct pgm_error *err) PGM_MUST_CHECK;
void pgm_chores_stop(struct pgm_chores *chores); /* does not wait for a job that is under way; NULL is fine */

/* Each configured chore: name, summary, timetable, due_at, last_at, running, and last: what came of it. */
json_t *pgm_chores_json(struct pgm_chores *chores);

/* Have one run as soon as may be, for one database (NULL: all of its). PGM_ERR_INPUT: not configured;
 * PGM_ERR_STATE: it waits for its turn for another database. */
bool pgm_chores_run(struct pgm_chores *chores, const char *name, const char *database, const char *who,
		    struct pgm_error *err) PGM_MUST_CHECK;

/* The text of a weekly report that was written: the latest of a database; html or Markdown. NULL: none. */
char *pgm_chores_report(struct pgm_chores *chores, struct pgm_arena *arena, const char *database, bool html);

#endif
