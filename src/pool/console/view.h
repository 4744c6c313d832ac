/*
 * The pooler of this process, for its other threads (pgmend serve): what the console's SHOW commands say, and
 * the profile. The pooler's control thread answers when it comes to it; who asks waits for that.
 *
 * Any thread but the pooler's own.
 */
#ifndef PGM_POOL_VIEW_H
#define PGM_POOL_VIEW_H

#include "pg/conn.h"
#include "pool/profile/profile.h"

#define PGM_POOL_VIEW_TABLES_MAX 8

/* Everything is in its arena. */
struct pgm_pool_view {
	struct pgm_arena *arena;
	struct pgm_rows tables[PGM_POOL_VIEW_TABLES_MAX]; /* one for each command */
	struct pgm_profile_snapshot *profile;		  /* where it was asked for, and is not off */
};

/*
 * commands: "SHOW POOLS"..., at most PGM_POOL_VIEW_TABLES_MAX. NULL with PGM_ERR_STATE where there is no
 * pooler, with PGM_ERR_TIMEOUT where it does not answer in time.
 */
struct pgm_pool_view *pgm_pool_view(const char *const *commands, size_t count, bool with_profile,
				    double timeout_ms, struct pgm_error *err) PGM_MUST_CHECK;
/* The profile of one statement alone, with its samples and values unless profile_values is off. */
struct pgm_pool_view *pgm_pool_view_statement(uint64_t fingerprint, double timeout_ms,
					      struct pgm_error *err) PGM_MUST_CHECK;
void pgm_pool_view_free(struct pgm_pool_view *view); /* NULL is fine */

#endif
