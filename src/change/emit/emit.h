/*
 * Emitters: a Plan as files that other migration tools run as they are. One row a tool (emit.c), one file a
 * tool that makes the texts; splitting a Change into migrations, comments and quoting are common to all.
 *
 * Making the texts touches nothing; pgm_emit_write() makes files, all or none, and never overwrites one.
 * Everything lives in the arena.
 */
#ifndef PGM_CHANGE_EMIT_H
#define PGM_CHANGE_EMIT_H

#include "change/plan.h"

#include <time.h>

struct pgm_emit_tool;

struct pgm_emit_options {
	const struct pgm_emit_tool *tool;
	const char *folder; /* where the tool looks for migrations */
	const char
		*after; /* alembic: REVISION, django: APP or APP.NAME that the first one follows; or NULL */
	time_t now;	/* versions count up from here */
};

struct pgm_emit_file {
	const char *path; /* below the folder: "V20260101120000__x.sql", "20260101120000_x/migration.sql" */
	const char *text;
};

struct pgm_emit_files {
	struct pgm_emit_file *items;
	size_t count;
};

/* NULL and PGM_ERR_USAGE with the names there are. */
const struct pgm_emit_tool *pgm_emit_tool_find(const char *name, struct pgm_error *err);

/* The tool of "--out FOLDER/": one Plan file a Change, for pgmend apply and review. */
const struct pgm_emit_tool *pgm_emit_plans(void);

const char *pgm_emit_tool_name(const struct pgm_emit_tool *tool);
const char *pgm_emit_tool_command(const struct pgm_emit_tool *tool); /* what runs the files */

/* Whether options.after is what the tool needs; PGM_ERR_USAGE. */
bool pgm_emit_check(const struct pgm_emit_options *options, struct pgm_error *err) PGM_MUST_CHECK;

/* The texts. PGM_ERR_INPUT where the Plan's SQL cannot be read or is not UTF-8. */
bool pgm_emit_render(struct pgm_arena *arena, const struct pgm_plan *plan,
		     const struct pgm_emit_options *options, struct pgm_emit_files *files,
		     struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Make the folder, and the files in it. PGM_ERR_INPUT where one of them is there already, or cannot be made;
 * then none is left behind.
 */
bool pgm_emit_write(struct pgm_arena *arena, const char *folder, const struct pgm_emit_files *files,
		    struct pgm_error *err) PGM_MUST_CHECK;

/* now, or one second after the newest time stamp that a file in the folder begins with. */
time_t pgm_emit_first_version(const char *folder, time_t now);

#endif
