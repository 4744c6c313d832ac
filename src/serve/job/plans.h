/*
 * The Plan files that serve keeps: a folder (0700) with one file for each database and Plan. They come from
 * jobs (advise, check, partition) and from people by the API, and go when there are too many: the oldest
 * first. What was applied is in the Ledger of its database as well, with the whole text.
 *
 * Any thread may call; texts live in the caller's arena.
 */
#ifndef PGM_SERVE_JOB_PLANS_H
#define PGM_SERVE_JOB_PLANS_H

#include "change/plan.h"
#include "util/arena.h"
#include "util/error.h"

#include <stddef.h>

#define PGM_PLANS_MAX	    500		       /* files */
#define PGM_PLANS_BYTES_MAX ((size_t)64 << 20) /* of all of them */
#define PGM_PLAN_BYTES_MAX  ((size_t)8 << 20)  /* of one */
#define PGM_PLAN_ID_LENGTH  12

struct pgm_plans;

/* folder NULL: a temporary one, removed by the close. */
struct pgm_plans *pgm_plans_open(const char *folder, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_plans_close(struct pgm_plans *plans); /* NULL is fine */

/* 12 hex digits, and nothing else. */
bool pgm_plans_id_valid(const char *id);

/* Keep a Plan for a database; the same Plan again is the same file. plan: what was read. */
bool pgm_plans_put(struct pgm_plans *plans, struct pgm_arena *arena, const char *database, const char *text,
		   struct pgm_plan *plan, struct pgm_error *err) PGM_MUST_CHECK;

/* The Plan of that id for the database. False with PGM_ERR_INPUT where there is none. */
bool pgm_plans_get(struct pgm_plans *plans, struct pgm_arena *arena, const char *database, const char *id,
		   struct pgm_plan *plan, struct pgm_error *err) PGM_MUST_CHECK;

bool pgm_plans_remove(struct pgm_plans *plans, const char *database, const char *id,
		      struct pgm_error *err) PGM_MUST_CHECK;

/* Ids, the latest first. */
size_t pgm_plans_list(struct pgm_plans *plans, struct pgm_arena *arena, const char *database,
		      const char ***ids);

/* Where the Plan's file is: for an argument of a command. */
const char *pgm_plans_path(struct pgm_plans *plans, struct pgm_arena *arena, const char *database,
			   const char *id);

/* A new name in the folder for what a command writes or reads; ending ".sql". Who asks removes it. */
const char *pgm_plans_scratch(struct pgm_plans *plans, struct pgm_arena *arena, const char *ending);

#endif
