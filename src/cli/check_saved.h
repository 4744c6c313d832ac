/*
 * Reports of "pgmend check" kept as JSON files, each of them readable by its owner alone:
 *
 *	${XDG_STATE_HOME:-~/.local/state}/pgmend/<database>-<identity>/<when>.json
 *
 * The identity is the cluster's system identifier, so that a standby shares the folder of its primary; where
 * that may not be read, the host and port. Passwords that a statement's text holds are masked.
 */
#ifndef PGM_CLI_CHECK_SAVED_H
#define PGM_CLI_CHECK_SAVED_H

#include "pg/conn.h"

#include <jansson.h>

#define PGM_CHECK_SAVED_MAX	  200 /* reports kept of one database; older ones are removed */
#define PGM_CHECK_SAVED_BYTES_MAX (256 << 20)

/* The folder of this database; NULL with an error where there is no home. It need not exist. */
char *pgm_check_saved_folder(struct pgm_arena *arena, struct pgm_conn *conn,
			     struct pgm_error *err) PGM_MUST_CHECK;

/* Write it to path, or where path is "", to a new file of the folder; *written is the file's name. */
bool pgm_check_save(struct pgm_arena *arena, const char *folder, const char *path, json_t *report,
		    const char *taken_at, char **written, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * A copy with stars for the secrets of PASSWORD 'secret' and scheme://user:secret@host, which statements of
 * pg_stat_statements may hold.
 */
char *pgm_check_masked(struct pgm_arena *arena, const char *text);

/* The newest file of the folder; NULL where there is none. */
char *pgm_check_saved_last(struct pgm_arena *arena, const char *folder);

/* A new reference; NULL with PGM_ERR_INPUT where it cannot be read or is no JSON. */
json_t *pgm_check_saved_read(const char *path, struct pgm_error *err) PGM_MUST_CHECK;

#endif
