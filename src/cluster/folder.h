/*
 * The private folder that a throw-away cluster lives in.
 */
#ifndef PGM_CLUSTER_FOLDER_H
#define PGM_CLUSTER_FOLDER_H

#include "cluster/process.h"

/*
 * Make a folder "<name>-XXXXXX" in parent (NULL: in $TMPDIR where that will do, else in /tmp), that holds an
 * empty folder "data" which belongs to the account and which nobody else may enter. The path is absolute, and
 * short enough for a socket in "data". NULL on failure.
 */
char *pgm_folder_make(struct pgm_arena *arena, const char *parent, const char *name,
		      const struct pgm_account *account, struct pgm_error *err) PGM_MUST_CHECK;

/* Remove it with all that is in it, without following links. False (errno says why) where something stays. */
bool pgm_folder_remove(const char *path);

#endif
